"""Repeats tests/vectors/*.json from docs/protocol.md alone, with nothing but Python's standard library.

Run: python3 tests/python/check_vectors.py tests/vectors
It prints one line a file and exits 1 at the first byte that differs.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import pathlib
import sys

P256_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def sha256(data):
    return hashlib.sha256(data).digest()


def lp(*parts):
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def extract(salt, secret):
    return hmac.digest(salt, secret, "sha256")


def expand(key, label, length):
    return hmac.digest(key, label + b"\x01", "sha256")[:length]


def mac(base, label, transcript):
    return hmac.digest(expand(base, label, 32), lp(label, transcript), "sha256")


def transcript(flow, exporter, pin, messages):
    label = f"pairpin v1 flow {flow} exporter".encode()
    return sha256(lp(label, exporter, pin, *(message.encode() for message in messages)))


def base32(data):
    return base64.b32encode(data).decode().rstrip("=")


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P256_P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P256_P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P256_P)
    x = (slope * slope - a[0] - b[0]) % P256_P
    return x, (slope * (a[0] - x) - a[1]) % P256_P


def multiply(number, point):
    total = None
    while number:
        if number & 1:
            total = add(total, point)
        point = add(point, point)
        number >>= 1
    return total


def es256_verify(key, message, signature):
    assert key[0] == 4 and len(key) == 65 and len(signature) == 64
    point = int.from_bytes(key[1:33], "big"), int.from_bytes(key[33:], "big")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < P256_N and 0 < s < P256_N):
        return False
    inverse = pow(s, -1, P256_N)
    digest = int.from_bytes(sha256(message), "big")
    found = add(multiply(digest * inverse % P256_N, P256_G), multiply(r * inverse % P256_N, point))
    return found is not None and found[0] % P256_N == r


def check_signature(v):
    key, message, signature = (bytes.fromhex(v[name]) for name in ("key", "message", "signature"))
    assert es256_verify(key, message, signature)
    assert not es256_verify(key, message + b"!", signature)


def check_identity(v):
    pin = sha256(bytes.fromhex(v["spki"]))
    assert pin.hex() == v["pin"]
    letters = base32(pin[:20])
    assert " ".join(letters[at : at + 4] for at in range(0, 32, 4)) == v["fingerprint"]
    device = sha256(b"pairpin v1 device id" + bytes.fromhex(v["session_key"]))[:16]
    assert device.hex() == v["device"] and base32(device).lower() == v["device_text"]
    assert sha256(bytes.fromhex(v["token"])).hex() == v["token_hash"]
    offer = extract(b"pairpin v1 offer", bytes.fromhex(v["offer_secret"]))
    assert expand(offer, b"pairpin v1 offer id", 8).hex() == v["offer"]


def check_transcripts(v):
    offer = extract(b"pairpin v1 offer", bytes.fromhex(v["offer_secret"]))
    recognition = extract(b"pairpin v1 recognition", bytes.fromhex(v["recognition_key"]))
    for case in v["cases"]:
        t = transcript(case["flow"], bytes.fromhex(v["exporter"]), bytes.fromhex(v["pin"]), case["messages"])
        assert t.hex() == case["hash"]
        for base, macs in ((offer, case["offer_macs"]), (recognition, case["recognition_macs"])):
            for label, expected in macs.items():
                assert mac(base, label.encode(), t).hex() == expected, label


def check_scan(v):
    exporter, pin = bytes.fromhex(v["exporter"]), bytes.fromhex(v["pin"])
    offer = extract(b"pairpin v1 offer", bytes.fromhex(v["offer_secret"]))
    first = transcript("scan", exporter, pin, [v["request"]])
    assert mac(offer, b"pairpin v1 scan proof", first).hex() == v["request_mac"]
    assert lp(b"pairpin v1 session key scan", first).hex() == v["session_key_signs"]
    second = transcript("scan", exporter, pin, [v["request"], v["grant"]])
    assert mac(offer, b"pairpin v1 scan grant", second).hex() == v["grant_mac"]
    number = int.from_bytes(sha256(lp(b"pairpin v1 check digits", second))[:8], "big") % 10000
    assert f"{number:04}" == v["check_digits"]
    grant = json.loads(base64.urlsafe_b64decode(v["grant"] + "=" * (-len(v["grant"]) % 4)))
    assert grant["version"] == 1 and grant["name"] == "homebox" and len(grant["addresses"]) == 2


def check_join(v):
    exporter, pin = bytes.fromhex(v["exporter"]), bytes.fromhex(v["pin"])
    commit = json.loads(base64.urlsafe_b64decode(v["commit"] + "=" * (-len(v["commit"]) % 4)))
    committed = sha256(lp(b"pairpin v1 join commitment", v["reveal"].encode()))
    assert commit["commit"] == base64.urlsafe_b64encode(committed).decode().rstrip("=")
    t = transcript("join", exporter, pin, [v["commit"], v["nonce"], v["reveal"]])
    assert t.hex() == v["transcript"]
    assert lp(b"pairpin v1 session key join", t).hex() == v["session_key_signs"]
    number = int.from_bytes(sha256(lp(b"pairpin v1 join number", t))[:8], "big") % 10_000_000
    assert f"{number:07}" == v["number"]
    digits = int.from_bytes(sha256(lp(b"pairpin v1 join check digits", t))[:8], "big") % 10_000
    assert f"{digits:04}" == v["check_digits"]
    join = bytes.fromhex(v["join"])
    body = bytes([0x10]) + pin[:16] + join + t
    assert "PAIRPIN-JOIN/" + base32(body + sha256(body)[:2]) == v["qr"]
    assert base64.b32decode(v["join_text"].upper()) == join
    key = bytes.fromhex(v["key"])
    head = [(1).to_bytes(2, "big"), pin, bytes.fromhex(v["machine"]), (3).to_bytes(8, "big")]
    head += [bytes.fromhex(v["statement_nonce"]), v["statement_expires_at"].to_bytes(8, "big")]
    week = (604_800).to_bytes(8, "big")
    for how, fields in (
        ("scan", [join, t, key, b"scan", b"", b"operator", b"", b"", b""]),
        ("number", [join, b"", key, b"number", v["number"].encode(), b"viewer", b"", "Ana’s laptop".encode(), week]),
    ):
        assert lp(b"pairpin v1 statement approve join", *head, *fields).hex() == v["statements"][how], how


def check_statements(v):
    head = [(1).to_bytes(2, "big"), bytes.fromhex(v["pin"]), bytes.fromhex(v["machine"]), v["epoch"].to_bytes(8, "big")]
    head += [bytes.fromhex(v["nonce"]), v["expires_at"].to_bytes(8, "big")]
    device = bytes.fromhex(v["device"])
    fields = {
        "enrol": [device, bytes.fromhex(v["key"]), b"passphrase"],
        "answer": [b"k7pq", bytes.fromhex(v["request"]), b"yes"],
        "revoke": [device, b"left in a taxi"],
        "mint": [b"viewer", "Ana’s tablet".encode(), (120).to_bytes(8, "big")],
        "set-role": [device, b"operator"],
        "lift": [device],
        "forget-key": [device],
    }
    assert sorted(fields) == sorted(v["to_sign"])
    for kind, parts in fields.items():
        label = b"pairpin v1 statement " + kind.replace("-", " ").encode()
        assert lp(label, *head, *parts).hex() == v["to_sign"][kind], kind


ED_P = 2**255 - 19
ED_L = 2**252 + 27742317777372353535851937790883648493
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P
ED_G = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)


def ed_add(a, b):
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + ED_D * a[0] * b[0] * a[1] * b[1], -1, ED_P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - ED_D * a[0] * b[0] * a[1] * b[1], -1, ED_P)
    return x % ED_P, y % ED_P


def ed_times(number):
    result, power = (0, 1), ED_G
    while number:
        if number & 1:
            result = ed_add(result, power)
        power = ed_add(power, power)
        number >>= 1
    return (result[1] | (result[0] & 1) << 255).to_bytes(32, "little")


def ed_sign(private, message):
    """RFC 8032, section 5.1: the public key, and the signature of a message."""
    digest = hashlib.sha512(private).digest()
    scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    public = ed_times(scalar)
    nonce = int.from_bytes(hashlib.sha512(digest[32:] + message).digest(), "little") % ED_L
    r = ed_times(nonce)
    h = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % ED_L
    return public, r + ((nonce + h * scalar) % ED_L).to_bytes(32, "little")


def check_recovery(v):
    exporter, pin, seed = (bytes.fromhex(v[name]) for name in ("exporter", "pin", "seed"))
    base = extract(b"pairpin v1 recovery", seed)
    private, answers = (expand(base, label, 32) for label in (b"pairpin v1 recovery key", b"pairpin v1 recovery answers"))
    assert answers.hex() == v["answers"]
    signed = lp(b"pairpin v1 recovery use", transcript("recovery", exporter, pin, [v["request"]]))
    public, signature = ed_sign(private, signed)
    assert (public.hex(), signature.hex()) == (v["key"], v["signature"])
    sheet = sha256(lp(b"pairpin v1 recovery sheet", public))[:8]
    assert sheet.hex() == v["sheet"]
    message = json.loads(base64.urlsafe_b64decode(v["request"] + "=" * (-len(v["request"]) % 4)))
    assert message["sheet"] == base64.urlsafe_b64encode(sheet).decode().rstrip("=")
    key = extract(b"pairpin v1 recovery answers", answers)
    for kind in ("answer", "refusal"):
        t = transcript("recovery", exporter, pin, [v["request"], v[kind]])
        assert mac(key, f"pairpin v1 recovery {kind}".encode(), t).hex() == v[f"{kind}_mac"], kind
    host, port = split(v["address"])
    body = b"\x11" + pin + bytes.fromhex(v["next_pin"]) + seed + port.to_bytes(2, "big") + hint(host)
    letters = base32(body + sha256(body)[:2])
    assert v["text"] == "PAIRPIN-RECOVERY/" + letters
    lines = []
    for at in range(0, len(letters), 16):
        line = letters[at : at + 16]
        check = base32(sha256(bytes([at // 16]) + line.encode())[:2])[:2]
        lines.append(" ".join(line[group : group + 4] for group in range(0, len(line), 4)) + " " + check)
    assert lines == v["lines"]


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_rotate(v):
    # RFC 5480 section 2: what stands before the point of a P-256 key in its SubjectPublicKeyInfo.
    head = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
    rotate = v["rotate"]
    old, new = (from_base64url(rotate[name]) for name in ("old_key", "new_key"))
    pins = [sha256(head + key) for key in (old, new)]
    assert [pin.hex() for pin in pins] == [v["old_pin"], v["new_pin"]]
    machine, following = (from_base64url(rotate[name]) for name in ("machine", "next_pin"))
    epoch = rotate["epoch"].to_bytes(8, "big")
    signs = lp(b"pairpin v1 rotate", (1).to_bytes(2, "big"), machine, epoch, *pins, following)
    assert signs.hex() == v["signs"]
    assert es256_verify(old, signs, from_base64url(rotate["by_old"]))
    assert es256_verify(new, signs, from_base64url(rotate["by_new"]))


def split(address):
    host, _, port = address.rpartition(":")
    if not host or (":" in host and not host.endswith("]")):
        host, port = address, "7747"
    return host.strip("[]"), int(port)


def hint(host):
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return bytes([1, len(host)]) + host.encode()
    return bytes([ip.version]) + ip.packed


def check_links(v):
    for case in v["cases"]:
        hosts = [split(address) for address in case["addresses"]]
        port = hosts[0][1]
        body = bytes([0x10 | (port != 7747)]) + bytes.fromhex(v["pin_prefix"]) + bytes.fromhex(v["offer_secret"])
        if port != 7747:
            body += port.to_bytes(2, "big")
        body += b"".join(hint(host) for host, _ in hosts)
        assert "pairpin:" + base32(body + sha256(body)[:2]) == case["text"], case


def main(folder):
    checks = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}
    files = sorted(folder.glob("*.json"))
    assert {file.stem for file in files} == set(checks), "every file has its check and every check its file"
    for file in files:
        checks[file.stem](json.loads(file.read_text()))
        print(f"{file.name}: as specified")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
