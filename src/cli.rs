//! Speaks to people: arguments in, results on stdout, everything else on stderr, an exit code.

use std::process::ExitCode;
use std::sync::Arc;

/// Parses the command line and does what it says.
#[expect(clippy::print_stderr, reason = "the room that speaks to people")]
pub fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some("run"), Some(job)) = (arguments.next().as_deref(), arguments.next()) else {
        eprintln!("usage: cxmart run JOB");
        return ExitCode::from(64);
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(70);
        }
    };
    let done = runtime.block_on(async {
        let context = crate::run::open(&job, crate::settings::from_environment())?;
        crate::run::run(Arc::new(context), None).await
    });
    match done {
        Ok(outcome) => {
            eprintln!("{outcome:?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(70)
        }
    }
}
