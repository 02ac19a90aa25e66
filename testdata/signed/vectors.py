"""Writes the examples in vectors.txt. It shares nothing with the crate that they test.

It needs the package cryptography. Run it as `python3 vectors.py > vectors.txt`.
"""
import hashlib
import hmac
import ipaddress
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


def hchacha20(key, nonce):
    """The first half of XChaCha20 (draft-irtf-cfrg-xchacha-03, 2.2): a block of ChaCha20 without its last addition."""
    block = Cipher(algorithms.ChaCha20(key, nonce), None).encryptor().update(bytes(64))
    state = b"expand 32-byte k" + key + nonce
    words = [(a - b) % 2**32 for a, b in zip(struct.unpack("<16I", block), struct.unpack("<16I", state))]
    return struct.pack("<8I", *words[:4], *words[12:])


def xchacha20_poly1305(key, nonce, text, associated):
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], text, associated)


def packet(key, nonce, verb, prefix, seconds, moment, admit, server, door):
    part = lambda name: hmac.digest(key, b"knock/1 " + name, "sha256")
    hint = hmac.digest(part(b"hint"), struct.pack(">Q", moment // (60 * 10**9)), "sha256")[:8]
    if admit is None:
        address = bytes(16)
    elif admit.version == 4:
        address = bytes(10) + b"\xff\xff" + admit.packed
    else:
        address = admit.packed
    half = lambda name: hashlib.sha256(name).digest()[:16]
    text = struct.pack(">BBBBIQ16s16s16s", 1, verb, 0, prefix, seconds, moment, address, half(server.lower()), half(door))
    return hint + nonce + xchacha20_poly1305(part(b"aead"), nonce, text, b"knock/1" + hint)


def check():
    """The examples of draft-irtf-cfrg-xchacha-03, A.1 and A.3.1, by the end of what they give."""
    key, nonce = bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927")
    found = hchacha20(key, nonce)
    assert found.hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc", found.hex()
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen "
            b"would be it.")
    key, nonce = bytes(range(0x80, 0xa0)), bytes(range(0x40, 0x58))
    found = xchacha20_poly1305(key, nonce, text, bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))
    assert found.hex().endswith("c0875924c1c7987947deafd8780acf49"), found.hex()
    return found


ZEROS, COUNTING, ONES = bytes(32), bytes(range(32)), b"\xff" * 32
NONCE = bytes(range(0x40, 0x58))
V4, V6 = ipaddress.ip_address("192.0.2.7"), ipaddress.ip_address("2001:db8::7")
MOMENT = 1_764_460_800_123_456_789
CASES = [
    (ZEROS, bytes(24), 1, 0, 0, 0, None, b"home.example.com", b"SSH"),
    (COUNTING, NONCE, 1, 0, 0, MOMENT, None, b"home.example.com", b"SSH"),
    (COUNTING, NONCE, 1, 0, 0, MOMENT + 1, None, b"Home.Example.COM", b"ssh"),
    (COUNTING, NONCE, 2, 0, 0, MOMENT, None, b"home.example.com", b"SSH"),
    (COUNTING, NONCE, 1, 24, 600, MOMENT, V4, b"home.example.com", b"SSH"),
    (COUNTING, NONCE, 1, 64, 2**32 - 1, MOMENT, V6, b"home.example.com", b"open the \xff door"),
    (ONES, b"\xff" * 24, 2, 128, 1, 2**64 - 1, V6, b"a", b"b"),
]

if __name__ == "__main__":
    check()
    print("# key, nonce, verb, prefix length, seconds, moment, address or -, server, door, packet; made by vectors.py")
    for key, nonce, verb, prefix, seconds, moment, admit, server, door in CASES:
        made = packet(key, nonce, verb, prefix, seconds, moment, admit, server, door)
        print(key.hex(), nonce.hex(), verb, prefix, seconds, moment, admit or "-", server.hex(), door.hex(), made.hex())
