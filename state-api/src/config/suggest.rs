//! "Did you mean …?": the allowed name that is nearest to a mistyped one.

/// What to do about an unknown name: the nearest allowed one if it is near, and all of them.
pub(crate) fn instead_of(unknown: &str, allowed: &[&str]) -> String {
    if allowed.is_empty() {
        return "none is allowed here".to_owned();
    }
    let list = allowed.join(", ");
    let near = allowed
        .iter()
        .map(|name| (distance(unknown, name), name))
        .filter(|(d, name)| *d <= 2 && *d * 2 <= name.len())
        .min_by_key(|(d, _)| *d);
    match near {
        Some((_, name)) => format!("did you mean `{name}`? allowed: {list}"),
        None => format!("allowed: {list}"),
    }
}

/// Levenshtein's distance over bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let here = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], here);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_the_textbook_ones() {
        for (a, b, d) in [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("modle", "model", 2)] {
            assert_eq!((distance(a, b), distance(b, a)), (d, d), "{a} {b}");
        }
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(instead_of("stoer", &["store", "ttl"]), "did you mean `store`? allowed: store, ttl");
        assert_eq!(instead_of("xyz", &["store", "ttl"]), "allowed: store, ttl");
        assert_eq!(instead_of("kv", &[]), "none is allowed here");
    }
}
