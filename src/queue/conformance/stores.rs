//! The stores that have to pass.

use std::path::PathBuf;

use super::{control, hooks, operator, order, rollout, run, stray};
use crate::queue::memory::MemoryStore;
use crate::queue::postgres::tests::queue;
use crate::queue::{Open, SqliteQueue};

/// The suite, for the stores that `$store` makes.
macro_rules! conform {
    ($backend:ident: $store:expr) => {
        mod $backend {
            use super::*;

            conform!(@ $store;
                order::rows_become_queued_jobs_in_their_order,
                order::what_there_is_beside_a_batch_is_known,
                order::what_a_row_expects_is_kept_with_its_job,
                order::an_error_among_the_rows_queues_nothing,
                order::a_service_has_one_live_job_over_all_batches,
                order::what_is_done_is_refused_skipped_or_queued_again,
                order::what_may_have_been_wiped_is_queued_on_a_word_of_its_own,
                order::an_order_by_the_clock_leaves_out_what_is_not_due,
                order::a_store_is_the_ledger_of_one_provider,
                order::a_batch_is_bound_to_one_account_for_ever,
                order::what_is_live_or_done_is_so_whoever_ordered_it,
                run::a_step_moves_only_what_stands_where_it_begins,
                run::steps_of_one_job_are_written_in_their_order,
                run::what_is_ready_comes_in_order_and_says_when_the_next_is,
                run::a_run_takes_over_what_is_in_flight,
                run::how_long_it_took_is_known_of_what_was_seen_to_complete,
                operator::failures_are_those_that_nobody_has_dealt_with,
                operator::a_command_says_of_each_service_what_became_of_it,
                operator::a_job_takes_another_access_only_while_nothing_of_it_was_executed,
                run::a_lease_that_was_lost_writes_nothing,
                run::every_history_is_stored_as_it_folds,
                control::while_a_batch_is_paused_nothing_is_begun_and_every_outcome_is_written,
                control::a_run_that_is_drained_begins_nothing_and_the_next_one_does,
                control::what_is_for_a_run_is_heard_only_while_it_is_at_work,
                control::what_was_said_is_read_from_any_place_on,
                rollout::members_of_groups_are_down_until_they_are_back_or_somebody_has_spoken,
                rollout::the_first_of_each_image_go_first,
                rollout::jobs_of_some_images_are_left_where_they_are,
                stray::what_may_still_take_effect_keeps_its_service_from_any_batch,
                hooks::a_hook_is_claimed_once_and_keeps_its_password_until_it_is_over,
                hooks::a_run_that_tells_of_a_key_leaves_the_hook_as_it_is,
                stray::what_is_over_keeps_nothing_back,
            );
        }
    };
    (@ $store:expr; $($room:ident::$test:ident,)+) => {
        $(
            #[tokio::test]
            async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                let make: fn(PathBuf) -> _ = $store;
                // `None`, said elsewhere: what the store needs is not installed.
                let Some(store) = make(folder.path().join("refleet.db")).await else {
                    return;
                };
                super::$room::$test(store).await;
            }
        )+
    };
}

conform!(memory: |_| async { Some(MemoryStore::default()) });
conform!(sqlite: |path| async move { Some(SqliteQueue::open(&path, Open::Create).await.unwrap()) });
conform!(postgres: |_| queue());
