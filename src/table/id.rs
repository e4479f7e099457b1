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

/// Bits of a digest that an id keeps: 160.
const ID_BYTES: usize = 20;

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
        format!("{prefix}_{}", self.text(parts))
    }

    /// 160 bits of the HMAC over the length-prefixed parts, in base32.
    pub fn text(&self, parts: &[&str]) -> String {
        let mut mac = self.0.clone();
        // One piece, as in `Maker`.
        let mut hashed = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        fold_in(&mut |bytes| hashed.extend_from_slice(bytes), parts);
        mac.update(&hashed);
        BASE32.encode(&mac.finalize().into_bytes()[..ID_BYTES])
    }
}

/// The bucket of a key: the first 6 bits of its SHA-256.
pub fn bucket(key: &str) -> usize {
    usize::from(Sha256::digest(key.as_bytes())[0]) * BUCKETS / 256
}
