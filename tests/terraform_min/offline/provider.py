"""The offline stand-in for the hashicorp/google provider: its schema and Terraform's protocol, and no cloud.

- Refuses what the real one refuses by its schema, what its documentation lists as the only possible values,
  and a value for what Google decides.
- Plans: what Google decides is unknown. Applies: it is filled in (values.py). It never calls anything.
- Proves graph and types; not that Google would accept a word of it.
"""

from __future__ import annotations

import json
from typing import Any

import grpc
import msgpack
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

from tests.terraform_min.offline.values import decided

UNKNOWN = msgpack.ExtType(0, b"\x00")
_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}
_SETTLED = ("project", "region", "zone")
_OFTEN_COMPUTED = ("id", "name", "project", "region", "location")
Value = dict[str, Any]


def pack(value: Any) -> Any:
    """A value as Terraform sends it."""
    return pb.DynamicValue(msgpack=msgpack.packb(value, use_bin_type=True))


def unpack(value: Any) -> Any:
    """The value that Terraform sent."""
    if value.json:
        return json.loads(value.json)
    return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False) if value.msgpack else None


def _unknown(value: Any) -> bool:
    return isinstance(value, msgpack.ExtType)


def _step(name: str) -> Any:
    return pb.AttributePath.Step(attribute_name=name)


def _schema(entry: Value) -> Any:
    return pb.Schema(version=entry.get("version", 0), block=_block(entry["block"]))


def _block(block: Value) -> Any:
    attributes = [
        pb.Schema.Attribute(
            name=name,
            type=json.dumps(one["type"]).encode(),
            required=one.get("required", False),
            optional=one.get("optional", False),
            computed=one.get("computed", False),
        )
        for name, one in sorted(block["attributes"].items())
    ]
    blocks = [
        pb.Schema.NestedBlock(
            type_name=name,
            block=_block(one["block"]),
            nesting=_NESTING[one["nesting_mode"]],
            min_items=one.get("min_items", 0),
            max_items=one.get("max_items", 0),
        )
        for name, one in sorted(block.get("block_types", {}).items())
    ]
    return pb.Schema.Block(attributes=attributes, block_types=blocks)


class Provider(rpc.ProviderServicer):
    """Serves one schema document, as `extract_schema` writes it."""

    def __init__(self, document: Value) -> None:
        found = document["provider_schemas"]["registry.terraform.io/hashicorp/google"]
        self.resources, self.data = found["resource_schemas"], found["data_source_schemas"]
        self.settings, self.enums = found["provider"], document["x_enums"]
        self.configured: Value = {}

    def GetMetadata(self, request: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "use GetProviderSchema")

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        meta = {"block": {"attributes": {"module_name": {"type": "string", "optional": True}}}}
        return pb.GetProviderSchema.Response(
            provider=_schema(self.settings),
            provider_meta=_schema(meta),
            resource_schemas={name: _schema(one) for name, one in self.resources.items()},
            data_source_schemas={name: _schema(one) for name, one in self.data.items()},
            server_capabilities=pb.ServerCapabilities(plan_destroy=False),
        )

    def GetFunctions(self, request: Any, context: Any) -> Any:
        return pb.GetFunctions.Response()

    # Checks.

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateProviderConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateDataResourceConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        found: list[Any] = []
        block = self.resources[request.type_name]["block"]
        self._check(block, unpack(request.config) or {}, [], request.type_name, found)
        return pb.ValidateResourceConfig.Response(diagnostics=found)

    def _check(self, block: Value, value: Value, path: list[Any], word: str, found: list[Any]) -> None:
        for name, one in block["attributes"].items():
            said, allowed = value.get(name), self.enums.get(f"{word}.{name}")
            if said is not None and not (one.get("optional") or one.get("required")):
                found.append(
                    _error(f"{name} is decided by Google Cloud: it cannot be set", [*path, _step(name)])
                )
            if allowed and isinstance(said, str) and said and said not in allowed:
                told = f"expected {name} to be one of {allowed}, got {said}"
                found.append(_error(told, [*path, _step(name)]))
        for name, one in block.get("block_types", {}).items():
            said = value.get(name)
            if said is None or _unknown(said):
                continue
            if one["nesting_mode"] == "single":
                self._check(one["block"], said, [*path, _step(name)], f"{word}.{name}", found)
                continue
            for index, item in enumerate(said):
                place = pb.AttributePath.Step(element_key_int=index)
                at = [place] if one["nesting_mode"] == "list" else []
                self._check(one["block"], item, [*path, _step(name), *at], f"{word}.{name}", found)

    # Life of a resource.

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        said = unpack(request.config) or {}
        self.configured = {name: value for name, value in said.items() if isinstance(value, str)}
        return pb.ConfigureProvider.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        state = json.loads(request.raw_state.json)
        upgraded = _conformed(self.resources[request.type_name]["block"], state)
        return pb.UpgradeResourceState.Response(upgraded_state=pack(upgraded))

    def ReadResource(self, request: Any, context: Any) -> Any:
        return pb.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        block = self.resources[request.type_name]["block"]
        new, prior = unpack(request.proposed_new_state), unpack(request.prior_state)
        planned = self._planned(block, new, prior is None, top=True)
        return pb.PlanResourceChange.Response(planned_state=pack(planned), legacy_type_system=True)

    def _planned(self, block: Value, value: Any, fresh: bool, *, top: bool) -> Any:
        if value is None or _unknown(value):
            return value
        planned = dict(value)
        for name, one in block["attributes"].items():
            if not one.get("computed") or planned.get(name) is not None:
                continue
            if top and name in _SETTLED and one.get("optional") and self.configured.get(name):
                planned[name] = self.configured[name]
            elif fresh and (not one.get("optional") or (top and name in _OFTEN_COMPUTED)):
                planned[name] = UNKNOWN
        for name, one in block.get("block_types", {}).items():
            said = planned.get(name)
            if isinstance(said, list):
                planned[name] = [self._planned(one["block"], item, fresh, top=False) for item in said]
            elif isinstance(said, dict):
                planned[name] = self._planned(one["block"], said, fresh, top=False)
        return planned

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        planned = unpack(request.planned_state)
        if planned is None:
            return pb.ApplyResourceChange.Response(new_state=pack(None))
        block = self.resources[request.type_name]["block"]
        state = self._filled(request.type_name, block, planned, _plain(planned))
        return pb.ApplyResourceChange.Response(new_state=pack(state), legacy_type_system=True)

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        block, said = self.data[request.type_name]["block"], unpack(request.config)
        asked = {
            name: UNKNOWN if value is None and block["attributes"].get(name, {}).get("computed") else value
            for name, value in said.items()
        }
        state = self._filled(request.type_name, block, asked, _plain(said))
        return pb.ReadDataSource.Response(state=pack(state))

    def _filled(self, word: str, block: Value, value: Any, known: Value) -> Any:
        if not isinstance(value, dict):
            return value
        filled: Value = {}
        for name, said in value.items():
            one = block["attributes"].get(name)
            if one is not None:
                filled[name] = (
                    decided(word, name, one["type"], known, self.configured) if _unknown(said) else said
                )
                continue
            inner = block["block_types"][name]["block"]
            filled[name] = (
                [self._filled(word, inner, item, known) for item in said]
                if isinstance(said, list)
                else self._filled(word, inner, said, known)
            )
        return filled

    def ImportResourceState(self, request: Any, context: Any) -> Any:
        state = _conformed(self.resources[request.type_name]["block"], {"id": request.id})
        imported = pb.ImportResourceState.ImportedResource(type_name=request.type_name, state=pack(state))
        return pb.ImportResourceState.Response(imported_resources=[imported])

    def StopProvider(self, request: Any, context: Any) -> Any:
        return pb.StopProvider.Response()


def _error(told: str, path: list[Any]) -> Any:
    at = pb.AttributePath(steps=path)
    return pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=told, attribute=at)


def _plain(value: Value) -> Value:
    return {name: one for name, one in value.items() if isinstance(one, str | int | bool)}


def _conformed(block: Value, state: Any) -> Any:
    """A state in the schema's shape: what it does not know is dropped, what is new is empty."""
    if state is None:
        return None
    shaped = {name: state.get(name) for name in block["attributes"]}
    for name, one in block.get("block_types", {}).items():
        said = state.get(name)
        if one["nesting_mode"] == "single":
            shaped[name] = _conformed(one["block"], said)
        else:
            shaped[name] = [_conformed(one["block"], item) for item in said or []]
    return shaped
