//! JSON as text: checked once, walked by path, and never parsed into numbers.
//!
//! Ids and amounts pass through as they are written, so that none goes through a float.

mod checked;

use std::borrow::Cow;
use std::sync::OnceLock;

use memchr::{memchr, memchr2};
use rustc_hash::FxHashMap;

pub(super) use self::checked::Json;
use self::checked::{Scanner, has_escapes};

/// Objects and lists inside each other; the parser recurses, so this bounds its stack.
const DEPTH: usize = 256;
/// A string may hold JSON whose strings hold JSON: this often.
const WRAPPED: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Finds where a value ends, byte by byte, however its text is cut into blocks.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// Where the value ends in `bytes`, of which those before `from` were seen already.
    pub(super) fn end(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(byte) = bytes.get(at) {
            if self.in_string && !self.escaped {
                at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
                self.step(*bytes.get(at)?);
                at += 1;
                if self.depth == 0 && !self.in_string {
                    return Some(at);
                }
                continue;
            }
            if self.depth == 0 && !self.in_string && ends_scalar(*byte) {
                return Some(at);
            }
            self.step(*byte);
            at += 1;
            if self.depth == 0 && !self.in_string && matches!(byte, b'}' | b']') {
                return Some(at);
            }
        }
        None
    }

    fn step(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

fn ends_scalar(byte: u8) -> bool {
    matches!(byte, b',' | b']' | b'}' | b':') || byte.is_ascii_whitespace()
}

/// Turns the inside of a string literal into its text; true if it held half a surrogate pair,
/// which no text can hold and which becomes U+FFFD.
///
/// # Errors
/// An escape that JSON does not know.
pub(super) fn unescape(quoted: &str, out: &mut String) -> Result<bool, Malformed> {
    if !has_escapes(quoted) {
        out.push_str(quoted);
        return Ok(false);
    }
    let mut rest = quoted;
    let mut replaced = false;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(rest.get(..at).ok_or(Malformed)?);
        let code = *rest.as_bytes().get(at + 1).ok_or(Malformed)?;
        rest = rest.get(at + 2..).ok_or(Malformed)?;
        let plain = match code {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (letter, tail) = code_point(rest)?;
                rest = tail;
                replaced |= letter.is_none();
                letter.unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(Malformed),
        };
        out.push(plain);
    }
    out.push_str(rest);
    Ok(replaced)
}

fn code_point(text: &str) -> Result<(Option<char>, &str), Malformed> {
    let (first, rest) = unit(text)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Ok((char::from_u32(first), rest));
    }
    let Some((second, tail)) = rest.strip_prefix("\\u").and_then(|tail| unit(tail).ok()) else {
        return Ok((None, rest));
    };
    if !(0xdc00..0xe000).contains(&second) {
        return Ok((None, rest));
    }
    Ok((char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)), tail))
}

fn unit(text: &str) -> Result<(u32, &str), Malformed> {
    let (digits, rest) = text.split_at_checked(4).ok_or(Malformed)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Malformed);
    }
    Ok((u32::from_str_radix(digits, 16).map_err(|_| Malformed)?, rest))
}

/// The object or list that a string holds as JSON text, though it be wrapped more than once.
pub(super) fn unwrap(raw: &str) -> Option<String> {
    let mut text = raw.to_owned();
    for _ in 0..WRAPPED {
        let inner = {
            let trimmed = text.trim();
            if trimmed.starts_with(['{', '[']) {
                return Some(text);
            }
            let quoted = trimmed.strip_prefix('"')?.strip_suffix('"')?;
            let mut inner = String::new();
            unescape(quoted, &mut inner).ok()?;
            inner
        };
        text = inner;
    }
    None
}

/// Takes an element and that of the list around it, where there is one.
type Each<'e> = &'e mut dyn FnMut(Json<'_>, Option<Json<'_>>) -> Result<(), Malformed>;

/// The elements of the list at `path`, of all lists there where lists lie on the way; what is no
/// list there is an element itself.
pub(super) fn elements(
    value: Json<'_>,
    path: &str,
    holder: Option<Json<'_>>,
    each: Each<'_>,
) -> Result<(), Malformed> {
    match value.first() {
        b'[' => {
            for element in value.elements() {
                if path.is_empty() {
                    each(element, holder)?;
                } else {
                    elements(element, path, Some(element), each)?;
                }
            }
            Ok(())
        }
        b'{' if path.is_empty() => each(value, holder),
        b'{' => {
            let (head, rest) = path.split_once('.').unwrap_or((path, ""));
            for (key, value) in value.members() {
                if key.as_ref() == path {
                    return elements(value, "", holder, each);
                } else if key.as_ref() == head {
                    return elements(value, rest, holder, each);
                }
            }
            Ok(())
        }
        b'"' => match unwrap(value.raw()) {
            Some(inner) => elements(Json::parse(&inner).ok_or(Malformed)?, path, holder, each),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Paths to look for, as one tree: a record is walked once, whatever the number of its columns.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    keys: FxHashMap<Box<str>, usize>,
    /// Keys that are numbers, for lists.
    places: Vec<(usize, usize)>,
    /// Elements of a list by what one of their members says: `[key=plan]`.
    picks: Vec<(Box<str>, FxHashMap<Box<str>, usize>)>,
    hits: Vec<(usize, u32)>,
    order: OnceLock<Order>,
}

/// The members of the first object at a node, in their order, each with the node that it leads to:
/// most objects of an export have the same in the same order.
#[derive(Debug, Default)]
struct Order(Vec<(Box<str>, Option<usize>)>);

impl Order {
    /// Members remembered.
    const MAX: usize = 128;
    /// Members that may be missing before the one at hand.
    const MISSING: usize = 3;

    /// Where a member leads, if it is the one expected at `place` or shortly behind it.
    fn child(&self, key: &str, place: &mut usize) -> Option<Option<usize>> {
        let expected = self.0.iter().enumerate().skip(*place).take(1 + Self::MISSING);
        let (at, child) = expected
            .filter(|(_, (known, _))| **known == *key)
            .map(|(at, (_, child))| (at, *child))
            .next()?;
        *place = at + 1;
        Some(child)
    }
}

/// The condition that a path opens with, and what follows it.
fn pick(path: &str) -> Option<(&str, &str, &str)> {
    let (condition, rest) = path.strip_prefix('[')?.split_once(']')?;
    let (member, wanted) = condition.split_once('=')?;
    Some((member, wanted, rest.strip_prefix('.').unwrap_or(rest)))
}

/// The first name of a path and what follows it; a condition stays with what follows.
pub(super) fn step(path: &str) -> Option<(&str, &str)> {
    let at = path.find(['.', '['])?;
    let (head, rest) = path.split_at_checked(at)?;
    match rest.strip_prefix('.') {
        Some(tail) => Some((head, tail)),
        None => pick(rest).map(|_| (head, rest)),
    }
}

/// Takes (slot, rank, raw value); the value of the least rank counts.
pub(super) type Hit<'h, 'a> = &'h mut dyn FnMut(usize, u32, Cow<'a, str>);

impl Tree {
    pub(super) fn leads_to(&self, slot: usize) -> bool {
        self.nodes.iter().any(|node| node.hits.iter().any(|(of, _)| *of == slot))
    }

    /// Adds a path for a slot. A key that holds dots itself is preferred to steps into objects.
    pub(super) fn insert(&mut self, path: &str, slot: usize, rank: u32) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let (mut node, mut rest, mut rank) = (0, path, rank);
        if path.is_empty() {
            self.hit(node, slot, rank);
            return;
        }
        loop {
            if let Some((member, wanted, tail)) = pick(rest) {
                node = self.picked(node, member, wanted);
                if tail.is_empty() {
                    return self.hit(node, slot, rank);
                }
                (rest, rank) = (tail, rank + 1);
                continue;
            }
            let whole = self.child(node, rest);
            self.hit(whole, slot, rank);
            let Some((head, tail)) = step(rest) else { return };
            node = self.child(node, head);
            (rest, rank) = (tail, rank + 1);
        }
    }

    fn picked(&mut self, node: usize, member: &str, wanted: &str) -> usize {
        let next = self.nodes.len();
        let Some(parent) = self.nodes.get_mut(node) else { return node };
        let at = parent.picks.iter().position(|(name, _)| **name == *member);
        let at = at.unwrap_or_else(|| {
            parent.picks.push((member.into(), FxHashMap::default()));
            parent.picks.len() - 1
        });
        let Some((_, wishes)) = parent.picks.get_mut(at) else { return node };
        let child = *wishes.entry(wanted.into()).or_insert(next);
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }

    fn hit(&mut self, node: usize, slot: usize, rank: u32) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.hits.push((slot, rank));
        }
    }

    fn child(&mut self, node: usize, key: &str) -> usize {
        let next = self.nodes.len();
        let Some(parent) = self.nodes.get_mut(node) else { return node };
        if let Some(child) = parent.keys.get(key) {
            return *child;
        }
        parent.keys.insert(key.into(), next);
        if let Ok(place) = key.parse() {
            parent.places.push((place, next));
        }
        self.nodes.push(Node::default());
        next
    }

    /// Checks a text that should be one value, and tells what lies at the paths; true if there was
    /// more. What it told of a malformed text does not count.
    pub(super) fn read<'a>(
        &self,
        text: &'a str,
        hit: Hit<'_, 'a>,
    ) -> Result<(Json<'a>, bool), Malformed> {
        let mut scanner = Scanner::new(text);
        scanner.first().ok_or(Malformed)?;
        let place = scanner.place();
        let unread = self.read_from(0, &mut scanner, hit)?;
        let value = scanner.since(place);
        if scanner.ends() { Ok((value, unread)) } else { Err(Malformed) }
    }

    /// As [`Tree::read`], of a value that was checked.
    pub(super) fn walk<'a>(&self, value: Json<'a>, hit: Hit<'_, 'a>) -> Result<bool, Malformed> {
        self.read_from(0, &mut Scanner::new(value.raw()), hit)
    }

    fn read_from<'a>(
        &self,
        at: usize,
        scanner: &mut Scanner<'a>,
        hit: Hit<'_, 'a>,
    ) -> Result<bool, Malformed> {
        let Some(node) = self.nodes.get(at) else { return scanner.value().map(|_| true) };
        let first = scanner.first().ok_or(Malformed)?;
        let place = scanner.place();
        let leads_on = !node.keys.is_empty() || !node.picks.is_empty();
        let mut unread = leads_on;
        match first {
            b'{' if leads_on => unread = self.read_members(node, scanner, hit)?,
            b'[' if leads_on => {
                self.walk_list(node, scanner.value()?, hit)?;
                unread = false;
            }
            b'"' if leads_on => {
                if let Some(inner) = unwrap(scanner.value()?.raw()) {
                    unread = self.walk_inside(at, &inner, hit)?;
                }
            }
            _ => drop(scanner.value()?),
        }
        for (slot, rank) in &node.hits {
            hit(*slot, *rank, Cow::Borrowed(scanner.since(place).raw()));
        }
        Ok(unread && node.hits.is_empty())
    }

    fn read_members<'a>(
        &self,
        node: &Node,
        scanner: &mut Scanner<'a>,
        hit: Hit<'_, 'a>,
    ) -> Result<bool, Malformed> {
        let mut unread = false;
        let (order, mut place, mut first) = (node.order.get(), 0, Order::default());
        scanner.enter()?;
        while let Some(key) = scanner.key()? {
            let known = order.and_then(|order| order.child(&key, &mut place));
            let child = known.unwrap_or_else(|| node.keys.get(key.as_ref()).copied());
            if order.is_none() && first.0.len() < Order::MAX {
                first.0.push((key.as_ref().into(), child));
            }
            if let Some(child) = child {
                unread |= self.read_from(child, scanner, hit)?;
            } else {
                scanner.value()?;
                unread = true;
            }
        }
        if order.is_none() {
            // Another thread may have been first; what it remembers is as good.
            let _ = node.order.set(first);
        }
        Ok(unread)
    }

    fn walk_list<'a>(
        &self,
        node: &Node,
        list: Json<'a>,
        hit: Hit<'_, 'a>,
    ) -> Result<(), Malformed> {
        let last = node.places.iter().map(|(place, _)| place.saturating_add(1)).max();
        let few = if node.picks.is_empty() { last.unwrap_or(0) } else { usize::MAX };
        for (i, element) in list.elements().enumerate().take(few) {
            for (_, child) in node.places.iter().filter(|(place, _)| *place == i) {
                self.read_from(*child, &mut Scanner::new(element.raw()), hit)?;
            }
            for (member, wishes) in &node.picks {
                if let Some(child) = told(element, member).and_then(|text| wishes.get(&*text)) {
                    self.read_from(*child, &mut Scanner::new(element.raw()), hit)?;
                }
            }
        }
        Ok(())
    }

    /// Walks the object or list that a text holds; a text that is no JSON holds nothing.
    fn walk_inside(&self, at: usize, text: &str, hit: Hit<'_, '_>) -> Result<bool, Malformed> {
        let Some(value) = Json::parse(text) else { return Ok(true) };
        let own = self.nodes.get(at).map_or(&[][..], |node| &node.hits);
        self.read_from(at, &mut Scanner::new(value.raw()), &mut |slot, rank, raw| {
            if !own.contains(&(slot, rank)) {
                hit(slot, rank, Cow::Owned(raw.into_owned()));
            }
        })
    }

    /// Tells every member by its path and whether it is read, down to where paths lead.
    pub(super) fn survey<'a>(&self, value: Json<'a>, tell: &mut dyn FnMut(&str, &'a str, bool)) {
        self.survey_from(0, value, &mut String::new(), tell);
    }

    fn survey_from<'a>(
        &self,
        at: usize,
        value: Json<'a>,
        path: &mut String,
        tell: &mut dyn FnMut(&str, &'a str, bool),
    ) {
        let Some(node) = self.nodes.get(at) else { return };
        let is_read = !node.hits.is_empty();
        let leads_on = !node.keys.is_empty() || !node.picks.is_empty();
        if is_read || !leads_on || value.first() != b'{' {
            // A list or a text that holds more is read in part, which counts as read.
            let parted = match value.first() {
                b'[' => leads_on,
                b'"' => leads_on && unwrap(value.raw()).is_some(),
                _ => false,
            };
            return tell(path, value.raw(), is_read || parted);
        }
        let outer = path.len();
        for (key, value) in value.members() {
            if outer > 0 {
                path.push('.');
            }
            path.push_str(&key);
            match node.keys.get(key.as_ref()) {
                Some(child) => self.survey_from(*child, value, path, tell),
                None => tell(path, value.raw(), false),
            }
            path.truncate(outer);
        }
    }
}

/// What a member of an object says, as text.
fn told<'a>(object: Json<'a>, member: &str) -> Option<Cow<'a, str>> {
    let raw = object.members().find(|(key, _)| key.as_ref() == member)?.1.raw();
    let Some(quoted) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Some(Cow::Borrowed(raw));
    };
    let mut text = String::new();
    unescape(quoted, &mut text).ok()?;
    Some(Cow::Owned(text))
}
