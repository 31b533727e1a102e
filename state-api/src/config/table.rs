//! [`Table`]: reads the keys of one TOML table and then refuses what nobody asked for, so that
//! the allowed names in an error are exactly those that the code reads.

use statehold_core::{Error, OptionValue, Options, Result, parse_bytes};
use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use super::{
    duration::parse_duration,
    source::{Source, join},
    suggest::instead_of,
    variables::{Environment, expand},
};

/// What all tables of a file are read with.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) environment: Environment<'a>,
}

/// One table, with its key path and what was asked of it.
pub(super) struct Table<'a> {
    context: Context<'a>,
    path: String,
    /// Where its header or its key stands.
    at: usize,
    keys: &'a DeTable<'a>,
    asked: Vec<&'static str>,
}

/// Text with its variables read. `written` is what errors may show.
pub(super) struct Text<'a> {
    pub(super) value: String,
    written: &'a str,
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

fn integer(value: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(value.as_str(), value.radix()).ok()
}

impl<'a> Table<'a> {
    /// The whole file.
    pub(super) fn root(context: Context<'a>, keys: &'a DeTable<'a>) -> Self {
        Self { context, path: String::new(), at: 0, keys, asked: Vec::new() }
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.push(key);
        self.keys.get(key)
    }

    fn mistake(&self, key: &str, at: &Spanned<DeValue<'_>>, what: impl Into<String>) -> Error {
        self.context.source.mistake(at.span().start, &join(&self.path, key), what)
    }

    fn wanted(&self, key: &str, what: &str, got: &Spanned<DeValue<'_>>) -> Error {
        self.mistake(key, got, format!("expected {what}, found {}", kind(got.get_ref())))
    }

    fn expanded(&self, key: &str, at: &Spanned<DeValue<'_>>, written: &'a str) -> Result<Text<'a>> {
        expand(written, self.context.environment)
            .map(|value| Text { value, written })
            .map_err(|e| self.mistake(key, at, e.what).advise(e.advice))
    }

    fn read_text(&mut self, key: &'static str) -> Result<Option<(Text<'a>, &'a Spanned<DeValue<'a>>)>> {
        let Some(found) = self.take(key) else { return Ok(None) };
        let DeValue::String(written) = found.get_ref() else { return Err(self.wanted(key, "text in quotes", found)) };
        Ok(Some((self.expanded(key, found, written)?, found)))
    }

    /// Text, if set.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>> {
        Ok(self.read_text(key)?.map(|(text, _)| text.value))
    }

    /// `value`, which the table must set under `key`.
    pub(super) fn required<T>(&self, key: &'static str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| {
            self.context
                .source
                .mistake(self.at, &self.path, format!("the key `{key}` is missing"))
                .advise(format!("set `{key}` here"))
        })
    }

    /// One of `choices` by its name, if set.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let Some((text, found)) = self.read_text(key)? else { return Ok(None) };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text.value) {
            return Ok(Some(*choice));
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        Err(self
            .mistake(key, found, format!("unknown {key} `{}`", text.written.escape_debug()))
            .advise(instead_of(text.written, &names)))
    }

    /// `true` or `false`, if set.
    pub(super) fn boolean(&mut self, key: &'static str) -> Result<Option<bool>> {
        match self.take(key).map(|v| (v.get_ref(), v)) {
            None => Ok(None),
            Some((DeValue::Boolean(b), _)) => Ok(Some(*b)),
            Some((_, found)) => Err(self.wanted(key, "true or false", found)),
        }
    }

    /// A whole number that `T` holds, if set.
    pub(super) fn integer<T: TryFrom<i64>>(&mut self, key: &'static str, range: &str) -> Result<Option<T>> {
        let Some(found) = self.take(key) else { return Ok(None) };
        let DeValue::Integer(number) = found.get_ref() else {
            return Err(self.wanted(key, &format!("a whole number {range}"), found));
        };
        integer(number)
            .and_then(|n| T::try_from(n).ok())
            .map(Some)
            .ok_or_else(|| self.mistake(key, found, format!("{number} is not a whole number {range}")))
    }

    /// A size in bytes, if set: a whole number, or text with a unit.
    pub(super) fn size(&mut self, key: &'static str) -> Result<Option<usize>> {
        let Some(found) = self.take(key) else { return Ok(None) };
        let size = match found.get_ref() {
            DeValue::Integer(n) => integer(n).and_then(|n| usize::try_from(n).ok()),
            DeValue::String(written) => parse_bytes(&self.expanded(key, found, written)?.value).ok(),
            _ => return Err(self.wanted(key, "a size such as \"64 MiB\"", found)),
        };
        size.map(Some).ok_or_else(|| {
            // As written, not as read from the environment.
            self.mistake(key, found, format!("`{}` is not a size", shown(found.get_ref())))
                .advise("write e.g. 67108864, \"64 MiB\" or \"64 MB\"")
        })
    }

    /// A duration in milliseconds, if set.
    pub(super) fn duration(&mut self, key: &'static str) -> Result<Option<u64>> {
        let Some(found) = self.take(key) else { return Ok(None) };
        let DeValue::String(written) = found.get_ref() else {
            return Err(self.wanted(key, "a duration such as \"7d\"", found));
        };
        let text = self.expanded(key, found, written)?;
        parse_duration(&text.value).map(Some).map_err(|e| {
            let what = format!("`{}` {}", written.escape_debug(), e.message());
            self.mistake(key, found, what).advise(e.advice().unwrap_or_default())
        })
    }

    /// A table within, if set.
    pub(super) fn table(&mut self, key: &'static str) -> Result<Option<Table<'a>>> {
        self.take(key).map(|found| self.inner(key, found, found.span().start)).transpose()
    }

    fn inner(&self, key: &str, found: &'a Spanned<DeValue<'a>>, at: usize) -> Result<Table<'a>> {
        match found.get_ref() {
            DeValue::Table(keys) => {
                Ok(Table { context: self.context, path: join(&self.path, key), at, keys, asked: Vec::new() })
            }
            _ => Err(self.wanted(key, "a table", found)),
        }
    }

    /// Every key of this table is a name, every value a table.
    pub(super) fn named(&self) -> Result<Vec<(&'a str, Table<'a>)>> {
        let mut tables = Vec::new();
        for (name, value) in self.keys {
            tables.push((&**name.get_ref(), self.inner(name.get_ref(), value, name.span().start)?));
        }
        tables.sort_by_key(|(_, table)| table.at);
        Ok(tables)
    }

    /// Every key of this table is an option of an engine's.
    pub(super) fn options(&self) -> Result<Options> {
        let mut options = Options::new();
        for (name, value) in self.keys {
            let name = &**name.get_ref();
            let option = match value.get_ref() {
                DeValue::String(written) => Some(OptionValue::Text(self.expanded(name, value, written)?.value)),
                DeValue::Integer(n) => integer(n).map(OptionValue::Integer),
                DeValue::Float(x) => x.as_str().parse().ok().map(OptionValue::Float),
                DeValue::Boolean(b) => Some(OptionValue::Bool(*b)),
                DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
            };
            let option = option.ok_or_else(|| self.wanted(name, "text, a number of 64 bits, true or false", value))?;
            options.set(name, option);
        }
        Ok(options)
    }

    /// Refuses keys that nobody asked for: the first in the file.
    pub(super) fn done(self) -> Result<()> {
        let unknown = self.keys.iter().filter(|(key, _)| !self.asked.contains(&&**key.get_ref()));
        let Some((key, _)) = unknown.min_by_key(|(key, _)| key.span().start) else { return Ok(()) };
        let name = key.get_ref();
        Err(self
            .context
            .source
            .mistake(key.span().start, &join(&self.path, name), "unknown key")
            .advise(instead_of(name, &self.asked)))
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(written) => written.escape_debug().to_string(),
        DeValue::Integer(n) => n.to_string(),
        other => kind(other).to_owned(),
    }
}
