"""What Terraform starts as the provider's program: the plugin handshake around provider.py.

- `python -m tests.terraform_min.offline.plugin SCHEMA`: one line on stdout tells the socket and, with
  AutoMTLS, our certificate; then it serves until Terraform says to stop.
"""

from __future__ import annotations

import base64
import datetime
import gzip
import json
import os
import sys
import tempfile
import threading
from concurrent import futures
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec
from tf.gen import grpc_controller_pb2 as controller
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import grpc_stdio_pb2_grpc as stdio_rpc
from tf.gen import tfplugin_pb2_grpc as rpc

from tests.terraform_min.offline.provider import Provider


class _Controller(controller_rpc.GRPCControllerServicer):
    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def Shutdown(self, request: Any, context: Any) -> Any:
        self.stop.set()
        return controller.Empty()


class _Stdio(stdio_rpc.GRPCStdioServicer):
    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def StreamStdio(self, request: Any, context: Any) -> Any:
        self.stop.wait()
        return iter(())


def _certificate() -> tuple[bytes, bytes, bytes]:
    """Private key and certificate as PEM, and the certificate as DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    return pem, certificate.public_bytes(s.Encoding.PEM), certificate.public_bytes(s.Encoding.DER)


def main() -> None:
    """Serve until told to stop."""
    if os.environ.get("TF_PLUGIN_MAGIC_COOKIE") is None:
        sys.exit("This is a Terraform provider plugin: terraform starts it.")
    with gzip.open(sys.argv[1], "rt") as file:
        provider = Provider(json.load(file))
    stop = threading.Event()
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(16), options=unlimited)
    rpc.add_ProviderServicer_to_server(provider, server)
    controller_rpc.add_GRPCControllerServicer_to_server(_Controller(stop), server)
    stdio_rpc.add_GRPCStdioServicer_to_server(_Stdio(stop), server)
    with tempfile.TemporaryDirectory() as folder:
        socket, told = f"{folder}/p.sock", ""
        if os.environ.get("PLUGIN_CLIENT_CERT"):
            key, pem, der = _certificate()
            server.add_secure_port(f"unix://{socket}", grpc.ssl_server_credentials([(key, pem)]))
            told = base64.b64encode(der).decode().rstrip("=")
        else:
            server.add_insecure_port(f"unix://{socket}")
        server.start()
        print(f"1|6|unix|{socket}|grpc|{told}", flush=True)
        stop.wait()
        server.stop(grace=0.5).wait()


if __name__ == "__main__":
    main()
