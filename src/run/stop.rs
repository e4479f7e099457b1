//! A wish to stop, looked at between steps, so that what was finished keeps its receipt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::RunError;

/// What asked the run to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A scheduler.
    Terminate,
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Shared by the run and whoever may stop it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    pub fn ask(&self, signal: Signal) {
        let code = match signal {
            Signal::Interrupt => 1,
            Signal::Terminate => 2,
        };
        self.0.store(code, Ordering::Relaxed);
    }

    pub fn asked(&self) -> Option<Signal> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Signal::Interrupt),
            2 => Some(Signal::Terminate),
            _ => None,
        }
    }

    /// # Errors
    /// Somebody asked the run to stop.
    pub fn check(&self) -> Result<(), RunError> {
        self.asked().map_or(Ok(()), |signal| Err(RunError::Stopped(signal)))
    }
}
