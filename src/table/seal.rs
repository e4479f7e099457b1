//! A JSON document that carries the SHA-256 of itself: a flipped byte in it is seen.
//!
//! What names everything else (a release, a receipt) has nobody to vouch for it. The seal is the
//! document's last member, so a sealed document is plain JSON to all other readers.

use super::hash::Hash;

const BEFORE: &[u8] = b",\n  \"sha256\": \"";
const AFTER: &[u8] = b"\"\n}\n";
const HEX: usize = 64;

/// The text of a JSON object with its seal; text that is no object stays as it is.
pub fn seal(text: &[u8]) -> Vec<u8> {
    let Some(open) = text.trim_ascii_end().strip_suffix(b"}") else { return text.to_vec() };
    let body = open.trim_ascii_end();
    let hash = Hash::of(body);
    [body, BEFORE, hash.as_str().as_bytes(), AFTER].concat()
}

/// Whether a document carries a seal, and the seal is that of its bytes.
pub fn is_sealed(text: &[u8]) -> bool {
    let parts = || {
        let at = text.len().checked_sub(BEFORE.len() + HEX + AFTER.len())?;
        let (body, seal) = text.split_at_checked(at)?;
        let hash = seal.strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
        Some((body, hash))
    };
    parts().is_some_and(|(body, hash)| Hash::of(body).as_str().as_bytes() == hash)
}
