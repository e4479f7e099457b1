//! Options of a job's source: which ones a spec knows, and the spec as they make it.

use std::collections::BTreeMap;

use super::{FormatKind, SourceSpec, SpecColumn};

/// A `from` that starts so is named by an option of the job's source.
const FIELD: &str = "field:";
/// What starts so is the option itself: a value that the job says and no export has.
pub const OPTION: &str = "option:";
/// Comes from the source's own field, not from its options.
const ACCOUNT: &str = "account";
/// `from_<column>` is the header or path of a column, as this account's export has it.
const FROM: &str = "from_";
/// Options that every spec of text knows: they are about bytes, not about columns.
const ENCODING: &str = "encoding";
/// Of exports without a header: the names of their columns, in order.
const COLUMNS: &str = "columns";

impl SpecColumn {
    /// The export has it; the rest are options of the job.
    pub fn is_exported(&self) -> bool {
        !self.from.iter().any(|from| from.starts_with(OPTION))
    }
}

impl SourceSpec {
    /// The options that its columns read, with their defaults; those about bytes are not among
    /// them.
    pub fn options(&self) -> BTreeMap<&str, &str> {
        let mut options = BTreeMap::new();
        for column in self.all_columns() {
            let named = column.from.iter().chain(&column.decimal_mark);
            let named = named
                .filter_map(|text| text.strip_prefix(OPTION).or_else(|| text.strip_prefix(FIELD)));
            let zone = column.zone.as_deref().and_then(|zone| zone.split_once(OPTION));
            for option in named.chain(zone.map(|(_, option)| option)) {
                let (name, default) = option.split_once('=').unwrap_or((option, ""));
                // Where two columns read it, one may leave the default to the other.
                let known = options.entry(name).or_insert(default);
                if known.is_empty() {
                    *known = default;
                }
            }
        }
        options.remove(ACCOUNT);
        options
    }

    /// All names that `options` of a job's source may have; `from_<column>` of its columns is
    /// known, too.
    pub fn option_names(&self) -> Vec<&str> {
        let is_text = !matches!(self.format.kind, Some(FormatKind::Parquet | FormatKind::Xlsx));
        let is_headless = self.format.header_rows == Some(0);
        let of_bytes = [(ENCODING, is_text), (COLUMNS, is_headless)];
        let of_bytes = of_bytes.into_iter().filter(|(_, known)| *known).map(|(name, _)| name);
        self.options().into_keys().chain(of_bytes).collect()
    }

    /// Whether `options` of a job's source may have it.
    pub fn knows_option(&self, name: &str) -> bool {
        let of_column = name.strip_prefix(FROM).unwrap_or_default();
        let mut exported = self.all_columns().filter(|column| column.is_exported());
        let is_column = exported.any(|column| column.name == of_column);
        is_column || self.option_names().contains(&name)
    }

    /// The spec with the headers, and the reading of bytes, that the options of a job's source
    /// name.
    #[must_use]
    pub fn with_options(&self, options: &BTreeMap<String, String>) -> Self {
        let mut spec = self.clone();
        let of_parts = spec.parts.iter_mut().flat_map(|part| &mut part.columns);
        for column in spec.columns.iter_mut().chain(of_parts) {
            let named = column.from.iter().filter_map(|from| {
                let Some(option) = from.strip_prefix(FIELD) else { return Some(from.clone()) };
                let (name, default) = option.split_once('=').unwrap_or((option, ""));
                let header = options.get(name).map_or(default, String::as_str);
                (!header.is_empty()).then(|| header.to_owned())
            });
            column.from = named.collect();
            match options.get(&format!("{FROM}{}", column.name)) {
                None => {}
                // The export of this account has no such column.
                Some(header) if header.is_empty() => {
                    column.from.clear();
                    column.required_header = false;
                }
                Some(header) => column.from.insert(0, header.clone()),
            }
        }
        let known = self.options();
        let of_bytes = |name: &str| options.get(name).filter(|_| !known.contains_key(name));
        if let Some(encoding) = of_bytes(ENCODING) {
            spec.format.encoding = Some(encoding.clone());
        }
        if let Some(columns) = of_bytes(COLUMNS) {
            spec.format.columns = columns.split(',').map(|name| name.trim().to_owned()).collect();
        }
        spec
    }
}
