//! The binary: speaks through `cli`, does nothing itself.

fn main() -> std::process::ExitCode {
    cxmart::cli::main()
}
