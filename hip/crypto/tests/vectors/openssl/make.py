#!/usr/bin/env python3
"""Makes dh.txt, esp.txt, weak-signatures.txt, the weak key files and refused-dsa-2048.pem.

OpenSSL is called by its command line where that suffices, else through Python's `cryptography`.
Keys and nonces are new at each run. Only the deterministic ECDSA_LOW signature, which OpenSSL
cannot make, is computed here, and then verified by OpenSSL.
"""

import hashlib, hmac, os, re, subprocess, tempfile
from cryptography.hazmat.primitives import cmac, hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dh, dsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM

HERE = os.path.dirname(os.path.abspath(__file__))
MESSAGE = b"signed by openssl"


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True, capture_output=True).stdout


def write(name, lines):
    with open(os.path.join(HERE, name), "w") as out:
        out.write("\n".join(lines) + "\n")


# Diffie-Hellman ------------------------------------------------------------------------------

def modp_lines(group, name, bits, exponent_bits):
    pem = openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", f"group:{name}")
    numbers = serialization.load_pem_parameters(pem).parameter_numbers()
    assert numbers.p.bit_length() == bits and numbers.g == 2
    plain, zero = None, None
    while not (plain and zero):
        i, r = (int.from_bytes(os.urandom(exponent_bits // 8), "big") for _ in range(2))
        public = [pow(2, x, numbers.p) for x in (i, r)]
        keys = [dh.DHPrivateNumbers(x, dh.DHPublicNumbers(y, dh.DHParameterNumbers(numbers.p, 2)))
                .private_key() for x, y in zip((i, r), public)]
        shared = keys[0].exchange(keys[1].public_key())
        assert shared == keys[1].exchange(keys[0].public_key()) and len(shared) == bits // 8
        width = bits // 8
        line = (f"{group} {i:0{exponent_bits // 4}x} {public[0]:0{2 * width}x} "
                f"{r:0{exponent_bits // 4}x} {public[1]:0{2 * width}x} {shared.hex()}")
        if shared[0] == 0:
            zero = zero or line
        else:
            plain = plain or line
    return [plain, zero]


def secp160r1_key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp160r1", "-out", path)
    text = openssl("pkey", "-in", path, "-noout", "-text").decode()
    take = lambda start, end: re.sub(r"[\s:]", "", text.split(start)[1].split(end)[0])
    private, public = take("priv:", "pub:"), take("pub:", "ASN1")
    assert public.startswith("04") and len(public) == 82
    return private.zfill(42)[-42:], public[2:]


def secp160r1_lines():
    with tempfile.TemporaryDirectory() as d:
        plain, zero = None, None
        while not (plain and zero):
            keys = [secp160r1_key(f"{d}/{n}.pem") for n in (0, 1)]
            for n in (0, 1):
                openssl("pkey", "-in", f"{d}/{n}.pem", "-pubout", "-out", f"{d}/{n}.pub")
            shared = openssl("pkeyutl", "-derive", "-inkey", f"{d}/0.pem", "-peerkey", f"{d}/1.pub")
            assert len(shared) == 20
            line = " ".join(["10", *keys[0], *keys[1], shared.hex()])
            if shared[0] == 0:
                zero = zero or line
            else:
                plain = plain or line
    return [plain, zero]


# ESP -----------------------------------------------------------------------------------------

def cmac_96(key, data):
    mac = cmac.CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()[:12]


def gcm_short(key, nonce, text, aad):
    cipher = Cipher(algorithms.AES(key), modes.GCM(nonce, min_tag_length=8)).encryptor()
    cipher.authenticate_additional_data(aad)
    sealed = cipher.update(text) + cipher.finalize()
    return sealed + cipher.tag[:8]


def cbc(key, auth, spi, seq, iv, text):
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    protected = iv + cipher.update(text) + cipher.finalize()
    data = spi + seq[4:] + protected + seq[:4]
    return protected + hmac.new(auth, data, hashlib.sha256).digest()[:16]


def esp_body(suite, enc, auth, spi, seq, iv, text):
    key, salt, aad = enc[:16], enc[16:], spi + seq
    if suite == 7:
        return text + hmac.new(auth, spi + seq[4:] + text + seq[:4], hashlib.sha256).digest()[:16]
    if suite in (8, 9):
        return cbc(enc, auth, spi, seq, iv, text)
    if suite in (10, 11):
        return seq + AESCCM(key, tag_length=8 if suite == 10 else 16).encrypt(salt + seq, text, aad)
    if suite == 12:
        return seq + gcm_short(key, salt + seq, text, aad)
    if suite == 13:
        return seq + AESGCM(key).encrypt(salt + seq, text, aad)
    if suite == 14:
        return text + cmac_96(auth, spi + seq[4:] + text + seq[:4])
    if suite == 15:
        return seq + text + AESGCM(key).encrypt(salt + seq, b"", aad + seq + text)


def esp_lines():
    lengths = {7: (0, 32), 8: (16, 32), 9: (32, 32), 10: (19, 0), 11: (19, 0), 12: (20, 0),
               13: (20, 0), 14: (0, 16), 15: (20, 0)}
    lines = []
    for suite, (enc, auth) in lengths.items():
        for length in (16, 64, 112):
            enc_key, auth_key = os.urandom(enc), os.urandom(auth)
            spi, seq, iv, text = os.urandom(4), os.urandom(8), os.urandom(16), os.urandom(length)
            body = esp_body(suite, enc_key, auth_key, spi, seq, iv, text)
            parts = [enc_key, auth_key, spi, seq, iv, text, body]
            lines.append(" ".join([str(suite), *(part.hex() or "-" for part in parts)]))
    return lines


# Signatures ----------------------------------------------------------------------------------

P = 2**160 - 2**31 - 1
N = 0x0100000000000000000001F4C8F927AED3CA752257
G = (0x4A96B5688EF573284664698968C38BB913CBFC82, 0x23A628553168947D59DCC912042351377AC5FB32)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] ** 2 - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k, point):
    total = None
    while k:
        if k & 1:
            total = add(total, point)
        point, k = add(point, point), k >> 1
    return total


def rfc6979_sha1(x, message):
    mac = lambda key, data: hmac.new(key, data, hashlib.sha1).digest()
    h = hashlib.sha1(message).digest()
    seed = x.to_bytes(21, "big") + (int.from_bytes(h, "big") % N).to_bytes(21, "big")
    v, k = b"\1" * 20, b"\0" * 20
    for mark in (b"\0", b"\1"):
        k = mac(k, v + mark + seed)
        v = mac(k, v)
    while True:
        t = b""
        while len(t) * 8 < 161:
            v = mac(k, v)
            t += v
        nonce = int.from_bytes(t, "big") >> (len(t) * 8 - 161)
        if 1 <= nonce < N:
            r = times(nonce, G)[0] % N
            s = pow(nonce, -1, N) * (int.from_bytes(h, "big") + r * x) % N
            if r and s:
                return r, s
        k = mac(k, v + b"\0")
        v = mac(k, v)


def ecdsa_low_lines():
    path = os.path.join(HERE, "ecdsa-secp160r1.pem")
    private, public = secp160r1_key(path)
    r, s = utils.decode_dss_signature(openssl("dgst", "-sha1", "-sign", path, data=MESSAGE))
    lines = [f"ecdsa-secp160r1 openssl {r:042x}{s:042x}"]
    r, s = rfc6979_sha1(int(private, 16), MESSAGE)
    with tempfile.TemporaryDirectory() as d:
        openssl("pkey", "-in", path, "-pubout", "-out", f"{d}/pub")
        open(f"{d}/sig", "wb").write(utils.encode_dss_signature(r, s))
        openssl("dgst", "-sha1", "-verify", f"{d}/pub", "-signature", f"{d}/sig", data=MESSAGE)
    return [*lines, f"ecdsa-secp160r1 rfc6979 {r:042x}{s:042x}", f"ecdsa-secp160r1 public {public}"]


def dsa_lines():
    path = os.path.join(HERE, "dsa-1024.pem")
    with tempfile.TemporaryDirectory() as d:
        openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024",
                "-pkeyopt", "dsa_paramgen_q_bits:160", "-out", f"{d}/params")
        openssl("genpkey", "-paramfile", f"{d}/params", "-out", path)
    key = serialization.load_pem_private_key(open(path, "rb").read(), None)
    n = key.private_numbers().public_numbers
    q, p, g = n.parameter_numbers.q, n.parameter_numbers.p, n.parameter_numbers.g
    lines = []
    for _ in range(2):
        r, s = utils.decode_dss_signature(openssl("dgst", "-sha256", "-sign", path, data=MESSAGE))
        lines.append(f"dsa-1024 openssl 08{r:040x}{s:040x}")
    return [*lines, f"dsa-1024 public 08{q:040x}{p:0256x}{g:0256x}{n.y:0256x}"]


def refused_dsa():
    """A modern subgroup, of 256 bits, which the form of RFC 2536 cannot hold."""
    with tempfile.TemporaryDirectory() as d:
        openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "pbits:2048",
                "-pkeyopt", "qbits:256", "-out", f"{d}/params")
        path = os.path.join(HERE, "refused-dsa-2048.pem")
        openssl("genpkey", "-paramfile", f"{d}/params", "-out", path)


def dsa_2048_lines():
    """2048 bits with a subgroup of 160: T = 24, beyond RFC 2536 but in the form of RFC 7401."""
    with tempfile.TemporaryDirectory() as d:
        openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "pbits:2048",
                "-pkeyopt", "qbits:160", "-pkeyopt", "type:fips186_2", "-pkeyopt", "digest:SHA1",
                "-out", f"{d}/params")
        openssl("genpkey", "-paramfile", f"{d}/params", "-out", f"{d}/key")
        text = openssl("pkey", "-in", f"{d}/key", "-noout", "-text").decode()
        signature = openssl("dgst", "-sha256", "-sign", f"{d}/key", data=MESSAGE)
    r, s = utils.decode_dss_signature(signature)
    digits = lambda name: re.search(rf"{name}:\s+([0-9a-f:\s]+?)\n\S", text + "\nX").group(1)
    number = lambda name: int(re.sub(r"[\s:]", "", digits(name)), 16)
    p, q, g, y = (number(name) for name in ("P", "Q", "G", "pub"))
    assert p.bit_length() == 2048 and q.bit_length() == 160
    return [f"dsa-2048 openssl 18{r:040x}{s:040x}",
            f"dsa-2048 public 18{q:040x}{p:0512x}{g:0512x}{y:0512x}"]


if __name__ == "__main__":
    refused_dsa()
    write("dh.txt", ["# group, private and public value, private and public value, Kij",
                     *modp_lines(3, "modp_1536", 1536, 256), *modp_lines(11, "modp_2048", 2048, 256),
                     *modp_lines(4, "modp_3072", 3072, 320), *secp160r1_lines()])
    write("esp.txt", ["# suite, encryption key and salt, authentication key, SPI, sequence number, "
                      "random IV, text, body", *esp_lines()])
    write("weak-signatures.txt", ["# key, kind, octets", *ecdsa_low_lines(), *dsa_lines(),
                                  *dsa_2048_lines()])
