//! What is asked of the machine itself: clock, name, processes, memory.

/// Microseconds since 1970, UTC. For leases, run ids and ages only: never for a number in a table.
#[expect(clippy::disallowed_methods, reason = "the one place where a run meets the clock")]
pub fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}

/// Names this machine since it was started; empty where the kernel does not tell.
pub fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    format!("{} {}", read("/proc/sys/kernel/hostname"), read("/proc/sys/kernel/random/boot_id"))
}

/// Whether a process of this machine still runs; yes where the kernel does not tell.
pub fn is_running(process: u32) -> bool {
    let all = std::path::Path::new("/proc/self");
    !all.exists() || std::path::Path::new(&format!("/proc/{process}")).exists()
}

/// The most memory this process ever held, in bytes; nothing where the kernel does not tell.
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
