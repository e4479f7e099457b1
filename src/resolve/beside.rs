//! Work on the parts of a list beside each other; what comes out does not depend on how many.

use std::cmp::Ordering;
use std::ops::Range;

/// Parts are worth a thread from this length on.
const PART_MIN: usize = 1 << 14;

fn part_len(len: usize, threads: usize) -> usize {
    len.div_ceil(threads.max(1)).max(PART_MIN)
}

/// Sorts values of which no two are equal, or are alike where they are.
pub(super) fn sort<T: Send>(
    values: &mut [T],
    threads: usize,
    order: impl Fn(&T, &T) -> Ordering + Sync,
) {
    let part = part_len(values.len(), threads);
    if part >= values.len() {
        return values.sort_unstable_by(order);
    }
    std::thread::scope(|scope| {
        for part in values.chunks_mut(part) {
            scope.spawn(|| part.sort_unstable_by(&order));
        }
    });
    // Finds the sorted parts and only merges them.
    values.sort_by(order);
}

/// What `of` makes of `0..len`, in order; `blank` is what stands there before.
pub(super) fn map<R: Send + Clone>(
    blank: R,
    len: usize,
    threads: usize,
    of: impl Fn(usize) -> R + Sync,
) -> Vec<R> {
    let part = part_len(len, threads);
    // Each thread writes where the result will stand: parts would have to be put together. Zeros
    // come from the system as they are, so pages are touched by the threads, too.
    let mut made = vec![blank; len];
    let fill = |from: usize, slots: &mut [R]| {
        slots.iter_mut().zip(from..).for_each(|(slot, at)| *slot = of(at));
    };
    if part >= len {
        fill(0, &mut made);
        return made;
    }
    std::thread::scope(|scope| {
        for (slots, from) in made.chunks_mut(part).zip((0..len).step_by(part)) {
            let fill = &fill;
            scope.spawn(move || fill(from, slots));
        }
    });
    made
}

/// What `of` makes of each part of `0..len`, in order; how many parts there are is nobody's
/// business.
pub(super) fn parts<R: Send>(
    len: usize,
    threads: usize,
    of: impl Fn(Range<usize>) -> R + Sync,
) -> Vec<R> {
    let part = part_len(len, threads);
    if part >= len {
        return vec![of(0..len)];
    }
    let of = &of;
    std::thread::scope(|scope| {
        let start = |from: usize| scope.spawn(move || of(from..len.min(from + part)));
        let workers: Vec<_> = (0..len).step_by(part).map(start).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, R>| match worker.join() {
            Ok(made) => made,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().map(join).collect()
    })
}

/// Lists that are each in order, in one that is.
pub(super) fn merge<T: Copy>(mut lists: Vec<Vec<T>>, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    lists.retain(|list| !list.is_empty());
    while lists.len() > 1 {
        let mut lists_of_two = Vec::with_capacity(lists.len().div_ceil(2));
        let mut waiting = lists.into_iter();
        while let Some(one) = waiting.next() {
            lists_of_two.push(match waiting.next() {
                Some(other) => merge_two(&one, &other, &order),
                None => one,
            });
        }
        lists = lists_of_two;
    }
    lists.pop().unwrap_or_default()
}

fn merge_two<T: Copy>(one: &[T], other: &[T], order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut all = Vec::with_capacity(one.len() + other.len());
    let (mut a, mut b) = (0, 0);
    while let (Some(left), Some(right)) = (one.get(a), other.get(b)) {
        // Which is next is chance: chosen without a branch.
        let is_right = order(right, left).is_lt();
        all.push(if is_right { *right } else { *left });
        b += usize::from(is_right);
        a += usize::from(!is_right);
    }
    all.extend_from_slice(one.get(a..).unwrap_or_default());
    all.extend_from_slice(other.get(b..).unwrap_or_default());
    all
}

/// Lists one after the other; a single one is not copied.
pub(super) fn concat<T>(mut parts: Vec<Vec<T>>) -> Vec<T> {
    if parts.len() < 2 {
        return parts.pop().unwrap_or_default();
    }
    let mut all = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    for part in parts {
        all.extend(part);
    }
    all
}
