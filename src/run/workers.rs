//! Work that comes in pieces, shared out to threads.

use std::sync::{Arc, Mutex, mpsc};

use super::RunError;

/// Gives each piece that `feed` hands out to one of `threads` workers; what they made of the
/// pieces comes back in no order. At most one piece waits, so memory holds one more than threads.
///
/// # Errors
/// The first worker's that failed, else the feed's own. When no worker is left the feed is told so,
/// and never waits for one: a full disk fails them all.
pub fn share<T: Send, R: Send>(
    name: &'static str,
    threads: usize,
    work: impl Fn(T) -> Result<R, RunError> + Sync,
    feed: impl FnOnce(&mut dyn FnMut(T) -> Result<(), RunError>) -> Result<(), RunError>,
) -> Result<Vec<R>, RunError> {
    let (sender, receiver) = mpsc::sync_channel::<T>(1);
    // Held by the workers alone: it goes with the last of them, and then sending fails.
    let receiver = Arc::new(Mutex::new(receiver));
    let work = &work;
    std::thread::scope(|scope| {
        let run = |receiver: Arc<Mutex<mpsc::Receiver<T>>>| {
            let mut made = Vec::new();
            loop {
                let next = receiver.lock().ok().and_then(|queue| queue.recv().ok());
                let Some(piece) = next else { return Ok::<_, RunError>(made) };
                made.push(work(piece)?);
            }
        };
        let workers: Vec<_> = (0..threads.max(1))
            .map(|_| {
                let receiver = Arc::clone(&receiver);
                scope.spawn(move || run(receiver))
            })
            .collect();
        drop(receiver);
        let fed = feed(&mut |piece| sender.send(piece).map_err(|_| RunError::Panicked(name)));
        drop(sender);
        let mut made = Vec::new();
        let mut failed = None;
        for worker in workers {
            match worker.join().map_err(|_| RunError::Panicked(name)).flatten() {
                Ok(more) => made.extend(more),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(fed, Err).map(|()| made)
    })
}
