//! Work on the parts of a list beside each other; what comes out does not depend on how many.

use std::cmp::Ordering;

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

/// What `of` makes of `0..len`, in order.
pub(super) fn map<R: Send>(len: usize, threads: usize, of: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let part = part_len(len, threads);
    if part >= len {
        return (0..len).map(of).collect();
    }
    let of = &of;
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..len)
            .step_by(part)
            .map(|from| {
                scope.spawn(move || (from..len.min(from + part)).map(of).collect::<Vec<_>>())
            })
            .collect();
        let mut made = Vec::with_capacity(len);
        for worker in parts {
            match worker.join() {
                Ok(more) => made.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        made
    })
}
