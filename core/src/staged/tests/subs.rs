use std::{collections::BTreeMap, ops::Bound};

use bytes::Bytes;
use proptest::prelude::*;

use super::super::{Cleared, subs::Subs};
use crate::Cell;

#[derive(Debug, Clone)]
enum Step {
    Insert(Bytes, Option<Cell>),
    Clear(Cleared),
}

/// Enough of them that few become many.
fn sub() -> impl Strategy<Value = Bytes> {
    (0..80u8).prop_map(|n| Bytes::copy_from_slice(&[n / 9, n % 9][..1 + usize::from(n % 3 != 0)]))
}

fn step() -> impl Strategy<Value = Step> {
    let cell = prop_oneof![Just(None), any::<u8>().prop_map(|n| Some(Cell::new(vec![n])))];
    prop_oneof![
        30 => (sub(), cell).prop_map(|(sub, cell)| Step::Insert(sub, cell)),
        1 => sub().prop_map(|sub| Step::Clear(Cleared::Below(sub))),
        1 => Just(Step::Clear(Cleared::All)),
    ]
}

proptest! {
    #[test]
    fn batch_5_staged_rows_of_a_key_are_what_a_tree_would_hold_however_many_there_are(
        in_order in 0..60u8,
        steps in prop::collection::vec(step(), 0..200),
        start in sub(),
    ) {
        let (mut subs, mut tree) = (Subs::default(), BTreeMap::new());
        // As a list's rows come.
        let appends = (0..in_order).map(|n| Step::Insert(Bytes::copy_from_slice(&[n / 9, n % 9]), Some(Cell::new("v"))));
        for step in appends.chain(steps) {
            match step {
                Step::Insert(sub, cell) => {
                    prop_assert_eq!(subs.insert(sub.clone(), cell.clone()), tree.insert(sub, cell));
                }
                Step::Clear(cleared) => {
                    let mut removed = Vec::new();
                    subs.clear(&cleared, |sub, cell| removed.push((sub.clone(), cell.cloned())));
                    let covered = tree.iter().filter(|(sub, _)| cleared.covers(sub));
                    prop_assert_eq!(removed, covered.map(|(s, c)| (s.clone(), c.clone())).collect::<Vec<_>>());
                    tree.retain(|sub, _| !cleared.covers(sub));
                }
            }
            prop_assert_eq!(subs.get(&start), tree.get(&start));
            prop_assert!(subs.iter().eq(tree.iter()));
        }
        for from in [Bound::Included(&start), Bound::Excluded(&start), Bound::Unbounded] {
            prop_assert!(subs.from(from).eq(tree.range::<Bytes, _>((from, Bound::Unbounded))));
        }
    }
}
