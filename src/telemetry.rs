//! Log lines and progress bars; nothing here changes a result.
//!
//! On a terminal a run shows two bars (bytes staged, steps done) and logs warnings only;
//! elsewhere it logs about ten INFO lines. Everything goes to stderr: stdout is for results.

pub mod notice;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::settings::LogFormat;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loudness {
    /// Errors only.
    Quiet,
    Normal,
    /// Every step and batch.
    Verbose,
}

/// Starts logging for the life of the process, and says how bars are drawn.
pub fn start(format: LogFormat, loudness: Loudness) -> Progress {
    let drawn =
        loudness == Loudness::Normal && format == LogFormat::Text && io::stderr().is_terminal();
    let level = match loudness {
        Loudness::Quiet => LevelFilter::ERROR,
        Loudness::Normal if drawn => LevelFilter::WARN,
        Loudness::Normal => LevelFilter::INFO,
        Loudness::Verbose => LevelFilter::DEBUG,
    };
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    // The engines below tell every token they parse; of them only what goes wrong is of use.
    let told = EnvFilter::default()
        .add_directive(level.min(LevelFilter::WARN).into())
        .add_directive(format!("cxmart={level}").parse().unwrap_or_else(|_| level.into()));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(told)
        .with_target(false)
        .with_ansi(false)
        .with_writer(AboveBars(bars.clone()));
    // Only a second start in one process fails, and the first one's logging goes on.
    let _ = match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    if drawn { Progress { bars: Some(bars), ..Progress::default() } } else { Progress::default() }
}

/// Log lines stand above the bars and do not tear them.
#[derive(Debug, Clone)]
struct AboveBars(MultiProgress);

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for AboveBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(line)).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The bars of a run; none unless [`start`] found a terminal.
#[derive(Debug, Default)]
pub struct Progress {
    bars: Option<MultiProgress>,
    writing: OnceLock<ProgressBar>,
    staging: OnceLock<ProgressBar>,
    steps: OnceLock<ProgressBar>,
}

impl Progress {
    fn bar(&self, length: u64, template: &str) -> Option<ProgressBar> {
        let bars = self.bars.as_ref()?;
        let style = ProgressStyle::with_template(template).ok()?.progress_chars("=> ");
        Some(bars.add(ProgressBar::new(length).with_style(style)))
    }

    /// A demo of so many customers is to be written.
    pub fn writing(&self, customers: u64) {
        if let Some(bar) = self.bar(customers, "{prefix:>8} [{bar:32}] {pos}/{len} customers") {
            let _ = self.writing.set(bar.with_prefix("writing"));
        }
    }

    /// So many of them are written.
    pub fn written(&self, customers: u64) {
        if let Some(bar) = self.writing.get() {
            bar.set_position(customers);
        }
    }

    pub fn end_writing(&self) {
        if let Some(bar) = self.writing.get() {
            bar.finish_and_clear();
        }
    }

    /// So many bytes are to be staged.
    pub fn staging(&self, bytes: u64) {
        let template = "{prefix:>8} [{bar:32}] {bytes}/{total_bytes} {wide_msg}";
        if let Some(bar) = self.bar(bytes, template).filter(|_| bytes > 0) {
            let _ = self.staging.set(bar.with_prefix("staging"));
        }
    }

    /// A batch is staged.
    pub fn staged(&self, bytes: u64, spec: &str) {
        if let Some(bar) = self.staging.get() {
            bar.inc(bytes);
            bar.set_message(spec.to_owned());
        }
    }

    /// So many steps are to come.
    pub fn steps(&self, count: usize) {
        if let Some(bar) = self.staging.get() {
            bar.finish_and_clear();
        }
        if let Some(bar) = self.bar(count as u64, "{prefix:>8} [{bar:32}] {pos}/{len} {wide_msg}") {
            let _ = self.steps.set(bar.with_prefix("steps"));
        }
    }

    /// A step begins.
    pub fn step(&self, name: &str) {
        if let Some(bar) = self.steps.get() {
            bar.set_message(name.to_owned());
        }
    }

    /// A step is done.
    pub fn step_done(&self) {
        if let Some(bar) = self.steps.get() {
            bar.inc(1);
        }
    }

    /// The run ended; bars leave the screen.
    pub fn end(&self) {
        for bar in [&self.staging, &self.steps].into_iter().filter_map(OnceLock::get) {
            bar.finish_and_clear();
        }
    }
}

/// An error and what caused it, each told once, without personal data.
pub fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = mask(error.to_string().trim());
        // Some causes say again what the error above them said.
        if !text.is_empty() && !told.iter().any(|before| before.contains(&text)) {
            told.push(text);
        }
        next = error.source();
    }
    told
}

/// Text with e-mail addresses, and passwords and signatures in urls, starred out.
pub fn mask(text: &str) -> String {
    let is_word = |c: char| !c.is_whitespace() && !"\"'`()<>[]{},;|".contains(c);
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let cut = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(cut);
        masked.push_str(&mask_word(word));
        let gap = after.find(is_word).unwrap_or(after.len());
        let (gap, after) = after.split_at(gap);
        masked.push_str(gap);
        rest = after;
    }
    masked
}

fn mask_word(word: &str) -> String {
    if let Some((url, query)) = word.split_once('?')
        && url.contains("://")
        && query.contains('=')
    {
        return mask_word(url) + "?***";
    }
    let Some((before, after)) = word.rsplit_once('@') else { return word.to_owned() };
    match before.split_once("://") {
        // `s3://key:secret@host/path`
        Some((scheme, user)) if !user.contains('/') => format!("{scheme}://***@{after}"),
        Some(_) => word.to_owned(),
        None if before.is_empty() || !after.contains('.') => word.to_owned(),
        None => "***@***".to_owned(),
    }
}
