"""One side of flow (b), written from docs/protocol.md on top of the Python package spake2.

tests/tests/pake.rs starts it and plays the other side. One JSON object a line on stdin, one JSON
object a line on stdout. It shares no code with the project, which is its point.
"""

import base64
import hashlib
import hmac
import json
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from spake2 import SPAKE2_A, SPAKE2_B

DEVICE_CONFIRMS = b"pairpin v1 code device confirms"
MACHINE_CONFIRMS = b"pairpin v1 code machine confirms"
SESSION_KEY = b"pairpin v1 session key code"


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def prefixed(*parts):
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def message_text(message):
    return encode(json.dumps(message).encode())


def message_of(text):
    return json.loads(decode(text))


class Run:
    def __init__(self, start):
        self.exporter, self.pin = decode(start["exporter"]), decode(start["pin"])
        self.transcript = prefixed(b"pairpin v1 flow code exporter", self.exporter, self.pin)
        identities = {
            "idA": prefixed(b"pairpin v1 code device", self.exporter, self.pin),
            "idB": prefixed(b"pairpin v1 code machine", self.exporter, self.pin),
        }
        side = SPAKE2_A if start["side"] == "device" else SPAKE2_B
        self.pake = side(start["code"].encode(), **identities)
        self.share = encode(self.pake.start())

    def absorb(self, text):
        self.transcript += prefixed(text.encode())

    def hash(self):
        return hashlib.sha256(self.transcript).digest()

    def finish(self, share):
        shared = self.pake.finish(decode(share))
        self.key = hmac.digest(b"pairpin v1 code", shared, "sha256")  # HKDF-Extract

    def mac(self, label):
        key = hmac.digest(self.key, label + b"\x01", "sha256")  # HKDF-Expand, one block
        return encode(hmac.digest(key, prefixed(label, self.hash()), "sha256"))


def read():
    return json.loads(sys.stdin.readline())


def write(**answer):
    print(json.dumps(answer), flush=True)


def machine(run):
    share = read()["message"]
    run.absorb(share)
    run.finish(message_of(share)["share"])
    answer = message_text({"version": 1, "share": run.share})
    run.absorb(answer)
    write(message=answer)
    confirm = read()
    run.absorb(confirm["message"])
    holds = hmac.compare_digest(confirm["mac"], run.mac(DEVICE_CONFIRMS))
    # It confirms even where the code was wrong: the other side must find that out by itself.
    welcome = message_text({"machine": encode(bytes(16)), "name": "python", "platform": "python", "role": "owner"})
    run.absorb(welcome)
    write(holds=holds, message=welcome, mac=run.mac(MACHINE_CONFIRMS))


def device(run):
    share = message_text({"versions": [1], "share": run.share})
    run.absorb(share)
    write(message=share)
    answer = read()["message"]
    run.absorb(answer)
    run.finish(message_of(answer)["share"])
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    confirm = message_text({"key": encode(point), "key_kind": "file"})
    run.absorb(confirm)
    r, s = decode_dss_signature(key.sign(prefixed(SESSION_KEY, run.hash()), ec.ECDSA(hashes.SHA256())))
    signature = encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    write(message=confirm, mac=run.mac(DEVICE_CONFIRMS), signature=signature)
    welcome = read()
    run.absorb(welcome["message"])
    write(holds=hmac.compare_digest(welcome["mac"], run.mac(MACHINE_CONFIRMS)))


if __name__ == "__main__":
    start = read()
    {"machine": machine, "device": device}[start["side"]](Run(start))
