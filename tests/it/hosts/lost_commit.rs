//! A commit whose answer is lost, and that arrives all the same.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use refleet::job::State;

use super::{SHORT, each_was_wiped_once, left_behind, may_try_again, start_behind};
use crate::rig::{Cluster, Proxy, Rig};

/// The commit of the first intents takes the server this long.
const LINGERS: &str = "
    CREATE FUNCTION public.linger() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER lingers AFTER INSERT ON refleet.ledger DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.kind = 'intent' AND NEW.attempt = 1 AND NEW.job_id % 4294967296 = 2)
        EXECUTE FUNCTION public.linger()";

fn is_lingering(rig: &Rig, cluster: &Cluster) -> bool {
    let lingering = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event = 'PgSleep'";
    rig.ask(cluster, lingering) != "0"
}

fn submitting(rig: &Rig) -> usize {
    let stories = rig.stories().unwrap();
    let is_left = stories.iter().map(|story| story.record.state);
    is_left.filter(|state| *state == State::Submitting).count()
}

/// The run that has made the intents knows that it never sent them, and nobody has to be asked: it says so
/// before it ends, or, where it can't reach the database, the next one on its machine does.
#[test]
fn what_was_committed_without_an_answer_is_known_not_to_have_been_sent() {
    for is_back_at_once in [true, false] {
        let Some(cluster) = Cluster::shared() else {
            return;
        };
        let rig = Rig::new(6).on_server(cluster);
        rig.load();
        rig.ask(cluster, LINGERS);
        let proxy = Proxy::to(cluster.port());
        let mut run = start_behind(&proxy, &rig, SHORT);
        let ended = run.wait_until(|| is_lingering(&rig, cluster));
        assert_eq!(ended, None, "{}", run.said());
        proxy.cut();
        if is_back_at_once {
            proxy.open();
        }
        let ended = run.end().exit(74);
        assert_eq!(rig.submissions(), 0, "{ended}");
        while is_lingering(&rig, cluster) {
            std::thread::yield_now();
        }
        if is_back_at_once {
            assert_eq!(submitting(&rig), 0, "{ended}");
        } else {
            assert!(submitting(&rig) > 0, "the commit has arrived: {ended}");
            let ended = ended.says("is kept in");
            let kept = rig.folder.path().join(".local/state/refleet/late.ndjson");
            let mode = fs::metadata(kept).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{ended}");
            proxy.open();
        }
        let ended = loop {
            let ended = start_behind(&proxy, &rig, SHORT).end();
            if ended.code == 0 {
                break ended;
            }
            may_try_again(&ended);
        };
        assert_eq!(left_behind(&rig), 0, "{ended}");
        each_was_wiped_once(&rig);
    }
}
