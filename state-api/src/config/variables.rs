//! `${NAME}` in the strings of a descriptor reads the environment: how secrets stay out of files.

use std::env::VarError;

/// Reads one variable of the environment.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Result<String, VarError>;

/// What is wrong with a reference, and what to do. Never holds a variable's content.
pub(super) struct Unreadable {
    pub(super) what: String,
    pub(super) advice: String,
}

const ESCAPE: &str = "write `$${` for a literal `${`";

/// `text` with every `${NAME}` replaced and every `$${` as `${`.
pub(super) fn expand(text: &str, environment: Environment<'_>) -> Result<String, Unreadable> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        out.push_str(before);
        if let Some(after) = from.strip_prefix("$${") {
            out.push_str("${");
            rest = after;
        } else if let Some(after) = from.strip_prefix("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| Unreadable {
                what: "`${` without `}`".into(),
                advice: format!("close it, or {ESCAPE}"),
            })?;
            out.push_str(&variable(name, environment)?);
            rest = after;
        } else {
            out.push('$');
            rest = &from[1..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn variable(name: &str, environment: Environment<'_>) -> Result<String, Unreadable> {
    let head = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !head || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Unreadable {
            what: format!("`${{{}}}` names no environment variable", name.escape_debug()),
            advice: format!("use letters, digits and `_`, or {ESCAPE}"),
        });
    }
    environment(name).map_err(|error| match error {
        VarError::NotPresent => Unreadable {
            what: format!("the environment variable `{name}` is not set"),
            advice: format!("set it, or {ESCAPE}"),
        },
        VarError::NotUnicode(_) => Unreadable {
            what: format!("the environment variable `{name}` is not UTF-8"),
            advice: "set it to UTF-8 text".into(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let environment = |name: &str| match name {
            "HOME" => Ok("/root".to_owned()),
            "TRICKY" => Ok("${HOME}$${".to_owned()),
            _ => Err(VarError::NotPresent),
        };
        expand(text, &environment).map_err(|e| e.what)
    }

    #[test]
    fn references_are_replaced_once_and_dollars_elsewhere_stay() {
        for (text, want) in [
            ("", ""),
            ("plain", "plain"),
            ("${HOME}/x", "/root/x"),
            ("a${HOME}b${HOME}", "a/rootb/root"),
            ("$HOME costs $5 $", "$HOME costs $5 $"),
            ("$${HOME}", "${HOME}"),
            ("$$${HOME}", "$${HOME}"),
            ("${TRICKY}", "${HOME}$${"),
            ("é${HOME}é", "é/rooté"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, want) in [
            ("${", "`${` without `}`"),
            ("${HOME", "`${` without `}`"),
            ("${}", "`${}` names no environment variable"),
            ("${A B}", "`${A B}` names no environment variable"),
            ("${1}", "`${1}` names no environment variable"),
            ("x${NOPE}", "the environment variable `NOPE` is not set"),
        ] {
            assert_eq!(expanded(text), Err(want.to_owned()), "{text}");
        }
    }
}
