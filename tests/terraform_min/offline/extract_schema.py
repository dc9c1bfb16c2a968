"""Rebuilds the google provider's schema from its generated bindings: `make schema`.

- Source: the PyPI wheel `cdktn-provider-google` (CDK Terrain), of which each release pins one provider
  version. Per attribute it tells type, computed, optional, required, block or attribute, list, set or
  single, and in its description the possible values.
- It does not tell: sensitive and deprecated flags, defaults, conflicts, patterns, limits other than "one
  block".
- Written is the form of `terraform providers schema -json`, cut to the types that terraform_min/ uses.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import re
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAG = re.compile(
    r"^\s*// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)", re.M
)
CLASS = re.compile(r"^class (\w+) extends cdktn\.(\w+) \{(.*?)^\}", re.M | re.S)
TO_HCL = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{(.*?)^\}", re.M | re.S)
WRITTEN = re.compile(
    r"^\s+(\w+): \{\s*value: .*?,\s*isBlock: (true|false),\s*type: \"(\w+)\",\s*storageClassType: \"(\w+)\",",
    re.M | re.S,
)
MADE = re.compile(r"new (\w+\.)?(\w+)\(this, \"(\w+)\"(?:, (true|false))?\)")
READ = re.compile(r"get(String|Number|Boolean)(List|Map|MapList)?Attribute\(|get(List)Attribute\(")
DOCUMENTED = re.compile(r"/\*\*((?:(?!\*/).)*?)\*/\s*readonly (\w+)(\??):", re.S)
POSSIBLE = re.compile(r"Possible values: \[((?:\s*\*?\s*\"[^\"]*\",?)+)\s*\*?\s*\]")
PLAIN = {"String": "string", "Number": "number", "Boolean": "bool"}
STORED = {
    "string": "string",
    "boolean": "bool",
    "number": "number",
    "stringList": ["list", "string"],
    "stringMap": ["map", "string"],
    "numberList": ["list", "number"],
}
Written = dict[str, tuple[bool, str, str]]


def sources(wheel: Path) -> Iterator[tuple[str, str, str]]:
    """Folder, file and text of the bindings; the package's own description has the folder ""."""
    with zipfile.ZipFile(wheel) as outer:
        inner = outer.read(next(name for name in outer.namelist() if name.endswith(".jsii.tgz")))
    with tarfile.open(fileobj=io.BytesIO(inner), mode="r:gz") as package:
        for member in package:
            parts = member.name.split("/")
            wanted = len(parts) >= 4 and parts[1] == "lib" and member.name.endswith((".js", ".d.ts"))
            if wanted or member.name == "package/package.json":
                file = package.extractfile(member)
                assert file is not None
                yield (parts[2] if wanted else ""), parts[-1], file.read().decode()


def documented(text: str) -> dict[str, dict[str, tuple[bool, list[str] | None]]]:
    """Interface -> attribute -> whether it is called a block, and its possible values."""
    found: dict[str, dict[str, tuple[bool, list[str] | None]]] = {}
    for interface in re.finditer(r"export interface (\w+)[^{]*\{(.*?)^\}", text, re.M | re.S):
        own: dict[str, tuple[bool, list[str] | None]] = {}
        for comment, _, _ in DOCUMENTED.findall(interface.group(2)):
            names = re.findall(r"#(\w+) ", comment)
            if names:
                told = " ".join(line.strip().lstrip("*").strip() for line in comment.splitlines()).strip()
                told = told.split("Docs at Terraform Registry:")[0].strip()
                possible = POSSIBLE.search(comment)
                values = re.findall(r'"([^"]*)"', possible.group(1)) if possible else None
                own[names[-1]] = (told == f"{names[-1]} block", values)
        found[interface.group(1)] = own
    return found


class Binding:
    """One resource's generated class and the classes of its blocks."""

    def __init__(self, code: str, types: str) -> None:
        self.code = code
        self.classes = {m.group(1): (m.group(2), m.group(3)) for m in CLASS.finditer(code)}
        self.written = {m.group(1): _written(m.group(2)) for m in TO_HCL.finditer(code)}
        self.documents = documented(types)
        self.enums: dict[str, list[str]] = {}

    def schema(self, word: str) -> tuple[str, Any]:
        """Which kind it is (the base class) and its block."""
        bases = ("TerraformResource", "TerraformDataSource", "TerraformProvider")
        name = next(name for name, (base, _) in self.classes.items() if base in bases)
        base, body = self.classes[name]
        method = re.search(r"synthesizeHclAttributes\(\) \{(.*?)^    \}", body, re.M | re.S)
        settable = _written(method.group(1)) if method else {}
        if base == "TerraformProvider":
            return base, self._provider(settable)
        block = self._block(name, settable, f"{name}Config", [word])
        if block["attributes"].get("id", {}).get("optional"):
            block["attributes"]["id"]["computed"] = True
        return base, block

    def _block(self, name: str, settable: Written, interface: str, path: list[str]) -> Any:
        block: dict[str, Any] = {"attributes": {}, "block_types": {}}
        documents = self.documents.get(interface, {})
        for word, computed, optional, required, code in _members(self.classes[name][1]):
            is_block, kind, _ = settable.get(word, (False, "", ""))
            called_block, values = documents.get(word, (False, None))
            made = MADE.search(code)
            if (
                _scalar(code) is None
                and made
                and is_block
                and (called_block or not documents or kind == "struct")
            ):
                block["block_types"][word] = self._nested(made.group(2), kind, required, [*path, word])
                continue
            attribute: dict[str, Any] = {"type": self._type(code)}
            if kind == "set" and attribute["type"][0] == "list":
                attribute["type"] = ["set", attribute["type"][1]]
            flags = (("required", required), ("optional", optional), ("computed", computed))
            attribute |= {flag: True for flag, said in flags if said}
            block["attributes"][word] = attribute
            if values:
                self.enums[".".join([*path, word])] = values
        return {key: value for key, value in block.items() if value or key == "attributes"}

    def _nested(self, made: str, kind: str, required: bool, path: list[str]) -> Any:
        reference = made[: -len("List")] + "OutputReference" if made.endswith("List") else made
        struct = reference[: -len("OutputReference")]
        settable = self.written.get(struct[0].lower() + struct[1:], {})
        nested: dict[str, Any] = {
            "nesting_mode": "single" if kind == "struct" else kind,
            "block": self._block(reference, settable, struct, path),
        }
        if kind != "struct":
            nested |= {"min_items": 1} if required else {}
            nested |= {} if made.endswith("List") else {"max_items": 1}
        return nested

    def _type(self, code: str) -> Any:
        plain = _scalar(code)
        if plain is not None:
            return plain
        made = MADE.search(code)
        assert made is not None
        name = made.group(2)
        if name.endswith("List"):
            return ["set" if made.group(4) == "true" else "list", self._object(name[:-4] + "OutputReference")]
        return self._object(name)

    def _object(self, name: str) -> Any:
        return ["object", {word: self._type(code) for word, *_, code in _members(self.classes[name][1])}]

    def _provider(self, settable: Written) -> Any:
        """The provider has no typed getters: all its arguments are optional."""
        block: dict[str, Any] = {"attributes": {}, "block_types": {}}
        for word, (is_block, _, stored) in settable.items():
            if not is_block:
                block["attributes"][word] = {"type": STORED[stored], "optional": True}
                continue
            function = re.search(
                rf"^\s+{word}: \{{\s*value: (?:cdktn\.listMapperHcl\()?(?:\w+\.)?(\w+)ToHclTerraform",
                self.code,
                re.M,
            )
            assert function is not None
            inner = self._provider(self.written[function.group(1)])
            block["block_types"][word] = {"nesting_mode": "list", "max_items": 1, "block": inner}
        return block


def _written(text: str) -> Written:
    return {name: (block == "true", kind, stored) for name, block, kind, stored in WRITTEN.findall(text)}


def _members(body: str) -> Iterator[tuple[str, bool, bool, bool, str]]:
    """Name, computed, optional, required, and the code up to the next flag comment."""
    hits = list(FLAG.finditer(body))
    for hit, following in zip(hits, [*hits[1:], None], strict=False):
        name, *flags = hit.groups()
        computed, optional, required = (flag == "true" for flag in flags)
        yield name, computed, optional, required, body[hit.end() : following.start() if following else None]


def _scalar(code: str) -> Any:
    """The type of a member that is no block and no object; None for those."""
    read = READ.search(code)
    if read:
        word = PLAIN.get(read.group(1), "string")
        shapes: dict[str | None, Any] = {
            None: word,
            "List": ["list", word],
            "Map": ["map", word],
            "MapList": ["list", ["map", word]],
        }
        found = ["list", "string"] if read.group(3) else shapes[read.group(2)]
        as_set = "Fn.tolist(" in code and isinstance(found, list) and found[0] == "list"
        return ["set", found[1]] if as_set else found
    made = MADE.search(code)
    if made and (made.group(1) or "").startswith("cdktn"):
        for prefix, word in PLAIN.items():
            if made.group(2).startswith(prefix + "Map"):
                return ["list", ["map", word]] if made.group(2).endswith("List") else ["map", word]
        if made.group(2) == "AnyMap":
            return ["map", "string"]
    return "dynamic" if "getAnyMapAttribute" in code or "interpolationForAttribute" in code else None


def extract(wheel: Path, types: set[str]) -> Any:
    """The schema document of these types. Raises KeyError naming those that the bindings do not have."""
    code, declared, version = defaultdict(str), defaultdict(str), ""
    for folder, name, text in sources(wheel):
        if not folder:
            version = json.loads(text)["cdktn"]["provider"]["version"]
        elif name.endswith(".d.ts"):
            declared[folder] += text + "\n"
        else:
            code[folder] += text + "\n"
    kinds: dict[str, Any] = {"TerraformResource": {}, "TerraformDataSource": {}, "TerraformProvider": {}}
    enums: dict[str, list[str]] = {}
    for folder in sorted(code):
        word = re.search(r'tfResourceType = "(\w+)"', code[folder])
        if word is None or word.group(1) not in {*types, "google"}:
            continue
        binding = Binding(code[folder], declared[folder])
        base, block = binding.schema(word.group(1))
        kinds[base][word.group(1)] = {"version": 0, "block": block}
        enums |= binding.enums if base == "TerraformResource" else {}
    missing = types - {*kinds["TerraformResource"], *kinds["TerraformDataSource"]}
    if missing:
        raise KeyError(f"not in google {version}: {', '.join(sorted(missing))}")
    provider = {
        "provider": kinds["TerraformProvider"]["google"],
        "resource_schemas": kinds["TerraformResource"],
        "data_source_schemas": kinds["TerraformDataSource"],
    }
    return {
        "format_version": "1.0",
        "x_provider_version": version,
        "x_enums": enums,
        "provider_schemas": {"registry.terraform.io/hashicorp/google": provider},
    }


def used(folder: Path) -> set[str]:
    """The resource and data types that Terraform files name."""
    text = "".join(file.read_text() for file in sorted(folder.rglob("*.tf")))
    return set(re.findall(r'^(?:resource|data) "(google_\w+)"', text, re.M))


def main() -> None:
    """Write the extract."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("terraform", type=Path)
    parser.add_argument("target", type=Path)
    asked = parser.parse_args()
    document = extract(asked.wheel, used(asked.terraform))
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    asked.target.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"google {document['x_provider_version']}: {len(used(asked.terraform))} types")


if __name__ == "__main__":
    main()
