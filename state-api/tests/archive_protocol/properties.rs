//! What must hold in every state, whatever rules the protocol keeps.

use stateright::Property;

use super::{
    protocol::Protocol,
    record::{ALL, Claim, Entry, Groups, Number, Part, Point, Record},
    replay::Replay,
    rules::Rules,
    world::{Phase, World},
};

pub const NOTHING_IS_LOST: &str = "a kept checkpoint has all its objects";
pub const NOTHING_IS_MIXED: &str = "a checkpoint has content of one timeline and one call";
pub const NOTHING_IS_HALF: &str = "a checkpoint has every group once";
pub const NO_ZOMBIES_LATEST: &str = "the latest checkpoint is no superseded owner's";
pub const NOTHING_IS_ROLLED_BACK_UNASKED: &str = "who asks for the latest checkpoint gets it";
pub const AN_ABORT_IS_FOR_EVER: &str = "no checkpoint has an aborted part";
pub const BASES_STAY: &str = "an owner that loads its base finds all of it";
pub const SOMETHING_COMPLETES: &str = "undisturbed, a checkpoint is complete in the end";
pub const NOTHING_IS_OVERWRITTEN: &str = "every part that a checkpoint names is in the log";

// Each must be found in some scenario: the model would prove nothing if these could not happen.
pub const COMPLETES_TWICE: &str = "two checkpoints of a timeline are complete";
pub const FENCES: &str = "an owner finds itself fenced";
pub const RETIRES: &str = "a checkpoint is retired, and an object of it deleted";
pub const UPLOADS_AGAIN: &str = "a part uploads again what a retire took away";
pub const SWEEPS_A_LEFTOVER: &str = "an object that nothing ever named is deleted";
pub const COMPLETES_LATE: &str = "a record arrives after its time-out";

pub fn all() -> Vec<Property<Protocol>> {
    let mut all = vec![
        Property::always(NOTHING_IS_LOST, |_, world: &World| {
            let replay = Replay::of(&world.log, Rules::ALL);
            has_objects(world, &replay, replay.kept())
        }),
        Property::always(NOTHING_IS_MIXED, |_, world: &World| {
            last_complete(world).is_none_or(|(before, parts)| is_of_one_timeline(before, parts))
        }),
        Property::always(NOTHING_IS_HALF, |_, world: &World| {
            let groups = |before: &[Record], n: &Number| part(before, *n).map_or(0, |p| u32::from(p.groups));
            last_complete(world)
                .is_none_or(|(b, parts)| parts.iter().map(|n| groups(b, n)).sum::<u32>() == u32::from(ALL))
        }),
        Property::always(NO_ZOMBIES_LATEST, |_, world: &World| {
            last_complete(world).is_none_or(|(before, parts)| {
                let replay = Replay::of(before, Rules::ALL);
                parts.iter().all(|n| part(before, *n).is_some_and(|p| !replay.is_superseded(p.at.claim)))
            })
        }),
        Property::always(NOTHING_IS_ROLLED_BACK_UNASKED, |_, world: &World| match world.log.split_last() {
            Some((Record { entry: Entry::Claim(Claim { base, wants_latest: true, .. }), .. }, before)) => {
                Replay::of(before, Rules::ALL).head() == *base
            }
            _ => true,
        }),
        Property::always(AN_ABORT_IS_FOR_EVER, |_, world: &World| {
            last_complete(world).is_none_or(|(before, parts)| {
                let replay = Replay::of(before, Rules::ALL);
                !parts.iter().any(|n| replay.is_retired_part(*n))
            })
        }),
        Property::always(NOTHING_IS_OVERWRITTEN, |_, world: &World| {
            let replay = Replay::of(&world.log, Rules::ALL);
            replay.kept().all(|c| replay.parts_of(c).iter().all(|n| replay.part(*n).is_some()))
        }),
        Property::always(BASES_STAY, |_, world: &World| {
            let replay = Replay::of(&world.log, Rules::ALL);
            let bases = world.log.iter().zip(1..).filter_map(|(record, number)| match &record.entry {
                Entry::Claim(claim) if replay.may_be_loading(number) => claim.base,
                _ => None,
            });
            has_objects(world, &replay, bases)
        }),
        Property::eventually(SOMETHING_COMPLETES, |protocol: &Protocol, world: &World| {
            !protocol.undisturbed || world.log.iter().any(|r| matches!(r.entry, Entry::Complete { .. }))
        }),
    ];
    all.extend(sometimes());
    all
}

fn sometimes() -> [Property<Protocol>; 6] {
    [
        Property::sometimes(COMPLETES_TWICE, |_, world: &World| {
            let replay = Replay::of(&world.log, Rules::ALL);
            replay.kept().filter(|c| replay.is_current(*c)).count() > 1
        }),
        Property::sometimes(FENCES, |_, world: &World| world.owners.iter().any(|o| o.phase == Phase::Fenced)),
        Property::sometimes(RETIRES, |_, world: &World| {
            let named = |r: &Record| if let Entry::Part(part) = &r.entry { part.objects.clone() } else { Vec::new() };
            world.log.iter().flat_map(named).any(|o| !world.objects.contains(&o))
        }),
        Property::sometimes(UPLOADS_AGAIN, |_, world: &World| {
            world.owners.iter().flat_map(|o| &o.running).any(|a| a.again && a.sent.is_some())
        }),
        Property::sometimes(SWEEPS_A_LEFTOVER, |_, world: &World| {
            // The first object of an attempt that still runs in a process that does not know it is fenced.
            let running = world.owners.iter().flat_map(|o| &o.running);
            running
                .flat_map(|a| a.part.objects.iter().filter(|o| o.at == a.part.at))
                .any(|o| !world.objects.contains(o))
        }),
        Property::sometimes(COMPLETES_LATE, |_, world: &World| {
            let landed = |r: &Record| match &r.entry {
                Entry::Part(part) => {
                    world.owners.iter().any(|o| o.phase == Phase::Owning(part.at.claim) && o.answered < part.round)
                }
                _ => false,
            };
            world.faults > 0 && world.log.iter().any(landed)
        }),
    ]
}

fn has_objects(world: &World, replay: &Replay<'_>, mut checkpoints: impl Iterator<Item = Number>) -> bool {
    let parts = |c: Number| replay.parts_of(c).iter().filter_map(|n| replay.part(*n));
    checkpoints.all(|c| parts(c).flat_map(|p| &p.objects).all(|o| world.objects.contains(o)))
}

/// If the last record completes a checkpoint: the log before it, and its parts.
fn last_complete(world: &World) -> Option<(&[Record], &[Number])> {
    let (last, before) = world.log.split_last()?;
    if let Entry::Complete { parts, .. } = &last.entry { Some((before, parts)) } else { None }
}

fn part(log: &[Record], number: Number) -> Option<&Part> {
    Replay::of(log, Rules::ALL).part(number)
}

/// Whether each group's content comes after the checkpoint before, after none that was left behind, and was cut at
/// the same call as that of the others.
fn is_of_one_timeline(before: &[Record], numbers: &[Number]) -> bool {
    let replay = Replay::of(before, Rules::ALL);
    let parts: Vec<&Part> = numbers.iter().filter_map(|n| replay.part(*n)).collect();
    let follows = |group: Groups, part: &Part| {
        replay.completes().all(|earlier| {
            let Some(then) = content(&replay, earlier, group) else { return true };
            let after = then != part.at && comes_from(&replay, part.at, then, group);
            if replay.head() == Some(earlier) {
                after
            } else {
                replay.is_current(earlier) || !comes_from(&replay, part.at, then, group)
            }
        })
    };
    parts.iter().all(|p| p.round == parts[0].round && [0b01, 0b10].iter().all(|g| p.groups & g == 0 || follows(*g, p)))
}

/// What a checkpoint has of a group.
fn content(replay: &Replay<'_>, complete: Number, group: Groups) -> Option<Point> {
    let mut parts = replay.parts_of(complete).iter().filter_map(|n| replay.part(*n));
    parts.find(|p| p.groups & group != 0).map(|p| p.at)
}

/// Whether `point` is what `earlier` was, with later writes.
fn comes_from(replay: &Replay<'_>, point: Point, earlier: Point, group: Groups) -> bool {
    if point.claim == earlier.claim {
        return point.attempt >= earlier.attempt;
    }
    let Some(Entry::Claim(claim)) = replay.entry(point.claim) else { return false };
    let origin = claim.continues.or_else(|| content(replay, claim.base?, group));
    origin.is_some_and(|o| comes_from(replay, o, earlier, group))
}
