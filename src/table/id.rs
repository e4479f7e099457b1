//! Ids made from natural keys: the same key gives the same id, in every run and on every machine.

use data_encoding::{BASE32_NOPAD, Encoding, Specification};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

use super::BUCKETS;

/// RFC 4648 base32, lower case, unpadded.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification.encoding().unwrap_or(BASE32_NOPAD)
});

/// The same alphabet with its characters in the order in which they stand in texts.
static ORDERED: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("234567abcdefghijklmnopqrstuvwxyz");
    specification.encoding().unwrap_or(BASE32_NOPAD)
});

/// Bits of a digest that an id keeps: 160.
const ID_BYTES: usize = 20;
/// Characters of them.
const TEXT_BYTES: usize = 32;
/// Keys up to this length are hashed without an allocation.
const SHORT_BYTES: usize = 192;

fn fold_in(digest: &mut impl FnMut(&[u8]), parts: &[&str]) {
    for part in parts {
        digest(&(part.len() as u64).to_le_bytes());
        digest(part.as_bytes());
    }
}

/// `<prefix>_` + base32 of the first 160 bits of SHA-256 over the length-prefixed parts.
pub fn from_key(prefix: &str, parts: &[&str]) -> String {
    Maker::default().make(prefix, parts).to_owned()
}

/// Makes many ids in the same room.
#[derive(Debug, Default)]
pub struct Maker {
    hashed: Vec<u8>,
    id: String,
}

impl Maker {
    /// As [`from_key`].
    pub fn make(&mut self, prefix: &str, parts: &[&str]) -> &str {
        self.hashed.clear();
        // One piece: the digest would copy each small one into its own buffer first.
        fold_in(&mut |bytes| self.hashed.extend_from_slice(bytes), parts);
        let digest = Sha256::digest(&self.hashed);
        self.id.clear();
        self.id.push_str(prefix);
        self.id.push('_');
        BASE32.encode_append(&digest[..ID_BYTES], &mut self.id);
        &self.id
    }
}

/// As [`from_key`], but under a secret: values cannot be guessed back from the id.
pub fn keyed(prefix: &str, salt: &[u8], parts: &[&str]) -> String {
    Keyed::new(salt).id(prefix, parts)
}

/// A secret, made ready for many hashes.
#[derive(Clone)]
pub struct Keyed(Hmac<Sha256>);

impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyed")
    }
}

impl Keyed {
    pub fn new(secret: &[u8]) -> Self {
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret) else {
            unreachable!("an HMAC takes a key of any length")
        };
        Self(mac)
    }

    /// `<prefix>_` and the text.
    pub fn id(&self, prefix: &str, parts: &[&str]) -> String {
        let mut id = String::with_capacity(prefix.len() + 1 + TEXT_BYTES);
        id.push_str(prefix);
        id.push('_');
        BASE32.encode_append(&self.hash(parts), &mut id);
        id
    }

    /// 160 bits of the HMAC over the length-prefixed parts, in base32.
    pub fn text(&self, parts: &[&str]) -> String {
        BASE32.encode(&self.hash(parts))
    }

    /// The text in fewer bytes, which stand in the same order.
    pub fn packed(&self, parts: &[&str]) -> Packed {
        Packed::of(self.hash(parts))
    }

    fn hash(&self, parts: &[&str]) -> [u8; ID_BYTES] {
        let mut mac = self.0.clone();
        let len = parts.iter().map(|part| part.len() + size_of::<u64>()).sum();
        let mut short = [0_u8; SHORT_BYTES];
        if let Some(hashed) = short.get_mut(..len) {
            // One piece, as in `Maker`.
            let mut at = 0;
            let mut put = |bytes: &[u8]| {
                hashed[at..at + bytes.len()].copy_from_slice(bytes);
                at += bytes.len();
            };
            fold_in(&mut put, parts);
            mac.update(hashed);
        } else {
            fold_in(&mut |bytes| mac.update(bytes), parts);
        }
        let mut kept = [0; ID_BYTES];
        for (to, from) in kept.iter_mut().zip(mac.finalize().into_bytes()) {
            *to = from;
        }
        kept
    }
}

/// A text of 160 bits in base32 without its characters. Packed texts compare as the texts do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Packed([u8; ID_BYTES]);

impl Packed {
    /// Digits stand before letters in a text, and mean more: each five bits are moved on by as many
    /// as there are digits.
    fn of(mut hash: [u8; ID_BYTES]) -> Self {
        for chunk in hash.as_chunks_mut::<GROUP_BYTES>().0 {
            let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
            // No group passes its own four bits but into its fifth, which is added apart.
            let moved = ((bits & eight(0b01111)) + eight(DIGITS)) ^ (bits & eight(0b10000));
            let bytes = moved.to_be_bytes();
            for (to, from) in chunk.iter_mut().zip(bytes.iter().skip(8 - GROUP_BYTES)) {
                *to = *from;
            }
        }
        Self(hash)
    }

    pub fn text(&self) -> String {
        ORDERED.encode(&self.0)
    }

    /// `None` for a text of another length or with other characters.
    pub fn read(text: &str) -> Option<Self> {
        Some(Self(ORDERED.decode(text.as_bytes()).ok()?.try_into().ok()?))
    }

    /// The first bits: they decide almost all comparisons.
    pub fn head(&self) -> u64 {
        self.0.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }
}

/// Eight characters of base32 are five bytes.
const GROUP_BYTES: usize = 5;
/// `2` to `7`.
const DIGITS: u64 = 6;

/// Eight groups of five bits.
const fn eight(group: u64) -> u64 {
    let (mut all, mut at) = (0, 0);
    while at < 8 {
        all |= group << (5 * at);
        at += 1;
    }
    all
}

/// The bucket of a key: the first 6 bits of its SHA-256.
pub fn bucket(key: &str) -> usize {
    usize::from(Sha256::digest(key.as_bytes())[0]) * BUCKETS / 256
}
