"""Writes the examples in vectors.txt. It shares nothing with the crate that they test.

Run it as `python3 vectors.py > vectors.txt`.
"""
import hmac
import struct


def ports(key, door, period, first, last, count):
    part = hmac.digest(key, b"knock/1 sequence", "sha256")
    found, block = [], 0
    while True:
        message = door + struct.pack(">Q", period) + (struct.pack(">I", block) if block else b"")
        for (port,) in struct.iter_unpack(">H", hmac.digest(part, message, "sha256")):
            if first <= port <= last and port not in found:
                found.append(port)
            if len(found) == count:
                return found
        block += 1


ZEROS, COUNTING, ONES = bytes(32), bytes(range(32)), b"\xff" * 32
CASES = [
    (ZEROS, b"SSH", 0, 20000, 59999, 5),
    (COUNTING, b"SSH", 29_413_440, 20000, 59999, 5),
    (COUNTING, b"SSH", 29_413_441, 20000, 59999, 5),
    (COUNTING, b"ssh", 29_413_440, 20000, 59999, 5),
    (ONES, b"open the \xff door", 29_413_440, 1, 65535, 8),
    (COUNTING, b"narrow", 2**63, 1024, 2023, 32),
    (ONES, b"a", 2**64 - 1, 64536, 65535, 4),
]
print("# key, door, period, first-last, ports; made by vectors.py")
for key, door, period, first, last, count in CASES:
    made = ",".join(map(str, ports(key, door, period, first, last, count)))
    print(key.hex(), door.hex(), period, f"{first}-{last}", made)
