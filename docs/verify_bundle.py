"""Proves a bundle of `rapport export KIND/ID --bundle FILE` from the public key alone, with no code of Rapport's.

Exit status 0: proven; 1: not proven, and why; 2: wrong usage, or what cannot be read. Python 3.8 or newer.
What the bytes are stands in formats.md, under the same names."""
import argparse, base64, json, os, re, struct, sys, uuid  # noqa: E401
from hashlib import sha256, sha512

TEXT, MAYBE, WHOLE = (str,), (str, type(None)), (int,)
BUNDLE = dict(format=TEXT, about=TEXT, key=TEXT, checkpoint=TEXT, events=(list,))
EVENT = dict(number=WHOLE, stored=(dict,), proof=(list,), meaning=(dict,))
STORED = dict(stream=TEXT, revision=WHOLE, id=TEXT, tag=TEXT, occurred_at=(int, type(None)), effective_at=WHOLE,
              recorded_at=WHOLE, actor=TEXT, subjects=TEXT, metadata=MAYBE, data=TEXT)
MEANING = dict(what=TEXT, when=TEXT, detail=MAYBE, reason=MAYBE)
# Ed25519 (RFC 8032): the field, the order of the base point, the neutral point, the curve -x² + y² = 1 + D·x²·y².
P, ORDER, ZERO = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493, (0, 1)
D = -121665 * pow(121666, -1, P) % P

def check(right, reason):
    if not right:
        raise ValueError(reason)

def decoded(text, length=None):
    """The bytes of a text in base64 with padding, of which there is one way to be written."""
    data = base64.b64decode(text, validate=True)
    check(base64.b64encode(data).decode() == text and length in (None, len(data)), "a text is not the base64 due")
    return data

def unique(members):
    check(len(dict(members)) == len(members), "an object has a member twice")
    return dict(members)

def shaped(value, form, optional=frozenset()):
    """An object with the members of a form, each of its type, and no others."""
    check(type(value) is dict and form.keys() - optional <= value.keys() <= form.keys(), f"expected {list(form)}")
    check(all(type(value[name]) in form[name] for name in value), f"another type in {list(form)}")
    return value

def point(data):
    """The point that 32 bytes stand for."""
    sign, y = data[31] >> 7, int.from_bytes(data, "little") & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    check(y < P and x * x % P == square and (x, sign) != (0, 1), "32 bytes are no point of the curve")
    return (x if x % 2 == sign else P - x, y)

def add(one, other):
    (a, b), (c, d) = one, other
    skew = D * a * b * c * d
    return (a * d + b * c) * pow(1 + skew, -1, P) % P, (b * d + a * c) * pow(1 - skew, -1, P) % P

def times(factor, of):
    total = times(factor >> 1, add(of, of)) if factor else ZERO
    return add(total, of) if factor & 1 else total

def is_signed(text, signature, key):
    """Whether a key has signed a text; keys and points of a small order sign nothing."""
    begin, signer, s = point(signature[:32]), point(key), int.from_bytes(signature[32:], "little")
    challenge = int.from_bytes(sha512(signature[:32] + key + text).digest(), "little") % ORDER
    base = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    is_small = ZERO in (times(8, begin), times(8, signer))
    return s < ORDER and not is_small and times(s, base) == add(begin, times(challenge, signer))

def public_key(text):
    """Name, id and the 32 bytes of a key that is written NAME+ID+KEY."""
    name, key_id, data = text.strip().split("+", 2)
    data = decoded(data, 33)
    check(name.isprintable() and " " not in name and data[0] == 1 and point(data[1:]), "it is no key of Ed25519")
    check(key_id == sha256(name.encode() + b"\n" + data).hexdigest()[:8], "its id is not that of its name and bytes")
    return name, bytes.fromhex(key_id), data[1:]

def opened(note, key):
    """Origin, size and root of a checkpoint that the key has signed."""
    text, empty, signatures = note.rpartition("\n\n")
    check(len(note.encode()) <= 1 << 16 and empty and signatures.endswith("\n"), "the checkpoint is no signed note")
    own = []
    for dash, name, signature in (line.split(" ") for line in signatures[:-1].split("\n")):
        signature = decoded(signature)
        check(dash == "\u2014" and len(signature) >= 4, "a line of the checkpoint is no signature")
        own += [signature[4:]] if (name, signature[:4]) == key[:2] else []
    right = all(len(each) == 64 and is_signed(text.encode() + b"\n", each, key[2]) for each in own)
    check(own and right, "the checkpoint is not signed by this key, or it was altered")
    origin, size, root = text.split("\n")[:3]
    check(origin and re.fullmatch("0|[1-9][0-9]{0,19}", size), "what was signed is no checkpoint")
    return origin, int(size), decoded(root, 32)

def leaf(stored):
    """The hash of an event's leaf."""
    number, moment = struct.Struct(">Q").pack, struct.Struct(">q").pack
    metadata = b"" if stored["metadata"] is None else sha256(stored["metadata"].encode()).digest()
    fields = [b"rapport-event/v1", stored["stream"].encode(), number(stored["revision"]), decoded(stored["id"], 16),
              stored["tag"].encode(), b"" if stored["occurred_at"] is None else moment(stored["occurred_at"]),
              moment(stored["effective_at"]), moment(stored["recorded_at"]), stored["actor"].encode(),
              decoded(stored["subjects"]), metadata, sha256(stored["data"].encode()).digest()]
    return sha256(b"\0" + b"".join(struct.pack(">I", len(field)) + field for field in fields)).digest()

def root_over(hashed, index, size, proof):
    """The root to which a proof leads: its last hash is that half of the tree in which the leaf is not."""
    check((size > 1) == (len(proof) > 0), "a proof is longer or shorter than the way to the root")
    if size == 1:
        return hashed
    left = 1 << (size - 1).bit_length() - 1
    if index < left:
        return sha256(b"\1" + root_over(hashed, index, left, proof[:-1]) + proof[-1]).digest()
    return sha256(b"\1" + proof[-1] + root_over(hashed, index - left, size - left, proof[:-1])).digest()

def verify(text, key):
    """What a bundle proves, in words."""
    bundle = shaped(json.loads(text, object_pairs_hook=unique), BUNDLE)
    (origin, size, root), events, about = opened(bundle["checkpoint"], key), bundle["events"], bundle["about"]
    check(bundle["format"] == "rapport-bundle/v1" and events, "it is no rapport-bundle/v1, or holds no event")
    last, streams, merges, concerned = 0, {}, [], {}
    for event in events:
        number, stored = shaped(event, EVENT)["number"], shaped(event["stored"], STORED)
        shaped(event["meaning"], MEANING, {"detail", "reason"})
        check(last < number <= size, f"event {number} stands twice, not in its order, or behind the checkpoint")
        proof, last = [decoded(hashed, 32) for hashed in event["proof"]], number
        check(root_over(leaf(stored), number - 1, size, proof) == root, f"event {number} or its proof was altered")
        streams.setdefault(stored["stream"], []).append(stored["revision"])
        subjects = struct.iter_unpack("16s", decoded(stored["subjects"]))
        concerned[number] = {stored["stream"], *(f"contact-{uuid.UUID(bytes=one)}" for one, in subjects)}
        if stored["tag"] == "contact.merged":
            merges.append({stored["stream"], "contact-" + json.loads(stored["data"])["into"]})
    person = {about}
    for _ in merges:  # each round may find one more, over those that were found before
        person = person.union(*(pair for pair in merges if pair & person))
    for number, streams_of_it in concerned.items():
        check(streams_of_it & person, f"event {number} does not concern {about!a}")
    gaps = sorted(name for name, seen in streams.items() if seen != list(range(1, len(seen) + 1)))
    return (f"PROVEN: {len(events)} events, to the byte and in their places, of the {size} in the log {origin}.\n"
            f"They concern {', as the same person '.join([about, *sorted(person - {about})])}.\n"
            f"Streams without a gap: {len(streams) - len(gaps)}; with gaps: {', '.join(gaps) or 'none'}.\n"
            "Not proven: that nothing more was recorded, that it was true, and the readable texts under `meaning`.")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage="python3 verify_bundle.py BUNDLE --key KEY_OR_FILE", allow_abbrev=False)
    parser.add_argument("bundle")
    parser.add_argument("--key", required=True)
    given = parser.parse_args()
    try:
        key = public_key(open(given.key, encoding="utf-8").read() if os.path.isfile(given.key) else given.key)
        text = open(given.bundle, "rb").read()
    except (OSError, ValueError) as error:
        parser.error(f"a file or the key cannot be read: {error}")
    try:
        print(verify(text.decode(), key))
    except (ValueError, LookupError, TypeError, RecursionError, struct.error) as error:
        print(f"NOT PROVEN: {error}")
        sys.exit(1)
