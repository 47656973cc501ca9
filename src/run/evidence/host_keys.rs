//! What an instance's SSH host key proves, beside all that the list shows.
//!
//! After a rebuild the key is new. It was read before the submission and is read again afterwards, at the
//! same address and port ([`crate::witness`]). What that is worth:
//!
//! | shown | of a job | is worth |
//! |---|---|---|
//! | a new key | in doubt | proof that it was executed, under all the conditions below; otherwise a hint |
//! | a new key | in progress | proof that it is complete, once the key has stood for `--settle`, the list shows the instance at work, and has nothing better to say |
//! | a new key, judged or not, and whatever is shown later | whose silence would prove that nothing was executed | that this proof is not taken: the doubt is held |
//! | the same key | any | nothing; with a doubt it is a hint, as soon as an executed rebuild would have begun |
//! | nothing | any | nothing |
//!
//! A new key proves *a* rebuild, and not whose. That a doubt's new key is this submission's rests on these
//! conditions, each of which is checked:
//!
//! | what could deceive | checked by |
//! |---|---|
//! | somebody else has rebuilt it meanwhile | the old key was not seen any more once `--settle` had passed since the answer: by then ours had begun, or never would. What happened while nobody watched counts for as long as the list's signs do (`--rebuild-timeout`). And the list does not contradict: it shows no third image, and the old one only once its lag is over, where its page may stand still and this process has watched all the time |
//! | the image carries keys, or a firewall or load balancer answers | no other address has shown either key in this run, until `--settle` has passed since the answer: what two have shown counts for nobody |
//! | the account's own images carry keys | instances that get one are never judged ([`crate::job::Baseline::own_image`]) |
//! | the address belongs to another machine now | the list still gives it to the instance |
//! | something answers while the instance is down | the list shows the instance at work, and two looks that are apart show the same key; to be complete takes `--settle` |
//! | a hook puts the old keys back, or several machines answer in turn | a new key that is followed by any other one proves nothing any more |
//! | it has keys of several kinds | only the kind that was seen before is asked for (`machine/witness.rs`) |
//!
//! Two things are **accepted**, and README names them: somebody who rebuilds the same instance, with the
//! image that was ordered for it or unseen by a list that stands still, within `--settle` of a submission
//! whose answer was lost (after a crash: within `--rebuild-timeout`), or later where its port has shown no key
//! from then on; and an address at which a machine answers of which this run knows nothing, while the list
//! does not show that: it has changed hands just then, and the list is late or early, or something answers
//! for the only instance of the run while that is down.

use std::time::Instant;

use super::dispatch::{self, Learned};
use super::key_watch::{HostKeys, Standing};
use super::{Case, Rules, Surroundings, Tracker};

/// The new key proves that the action in doubt was executed.
pub(super) fn prove(
    case: Case<'_>,
    learned: &Learned,
    tracker: &Tracker,
    around: Surroundings,
) -> bool {
    let rules = case.rules;
    let Some(since) = tracker.keys.stands_for(rules.apart()) else {
        return false;
    };
    // Until then others are looked at, too: a key that they show counts for nobody.
    let in_time = tracker.answered_at + rules.settle;
    let keys = &tracker.keys;
    let began_in_time = keys.is_new_after(in_time) && !keys.was_old_after(in_time);
    around.host_keys.count
        && case.observation.status.is_back()
        && began_in_time
        && tracker.is_ours(since, rules)
        && !is_contradicted(case, learned, tracker, around)
}

/// What the new key of a job in progress is worth.
pub(super) fn standing(
    case: Case<'_>,
    learned: &Learned,
    tracker: &Tracker,
    around: Surroundings,
) -> Standing {
    let stands =
        tracker.keys.stands_for(case.rules.settle).is_some() && case.observation.status.is_back();
    if stands && around.host_keys.count && !is_contradicted(case, learned, tracker, around) {
        Standing::New
    } else {
        Standing::Nothing
    }
}

/// The list shows that something else has happened to the instance than what was ordered.
fn is_contradicted(
    case: Case<'_>,
    learned: &Learned,
    tracker: &Tracker,
    around: Surroundings,
) -> bool {
    let list_lag = learned.lag(case.action);
    let window = list_lag.window(case.rules.settle);
    let is_alive = around
        .alive_since
        .is_some_and(|since| since.saturating_duration_since(tracker.answered_at) >= window);
    // Before that it may just be late, and tell by itself.
    let is_time = tracker.is_window_over(list_lag, case.rules, case.observation.requested_at);
    let may_stand_still = is_time && !is_alive && tracker.is_unbroken();
    dispatch::contradicts(case.action, case.record, case.observation, may_stand_still)
}

/// A doubt that would be held now may still be told of by its host keys.
pub(super) fn may_still_tell(
    tracker: &Tracker,
    around: Surroundings,
    rules: &Rules,
    at: Instant,
) -> bool {
    let HostKeys {
        count,
        are_looked_at,
    } = around.host_keys;
    let in_time = tracker.answered_at + rules.settle;
    let keys = &tracker.keys;
    let stands = keys.is_new_after(in_time) && keys.stands_for(rules.apart()).is_some();
    let has_told = stands || keys.was_old_after(in_time);
    // What was executed should be back by now, its port shows nothing, and this process has looked for long
    // enough itself.
    let is_silent = (tracker.keys).was_silent_after(tracker.answered_at + rules.unseen_after);
    let is_late = (is_silent || tracker.is_patience_over(rules, at))
        && tracker.has_looked_for(rules.settle, at);
    count && are_looked_at && !has_told && !is_late
}
