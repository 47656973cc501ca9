//! Who has the machine. Tests run beside each other, and those that run twenty processes at once
//! have it to themselves: beside them no time-out of 400 ms would mean anything.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, LazyLock, Mutex};
use std::thread::ThreadId;

#[derive(Default)]
struct Users {
    /// Rigs of each thread. A thread that has one gets more at once: it could wait for itself.
    rigs: HashMap<ThreadId, usize>,
    /// Threads that have the machine to themselves (one at most), or wait for that.
    alone: usize,
    is_taken: bool,
}

static USERS: LazyLock<Mutex<Users>> = LazyLock::new(Mutex::default);
static CHANGED: Condvar = Condvar::new();

thread_local! {
    /// This thread works for a test that has the machine to itself.
    static IS_POOL: Cell<bool> = const { Cell::new(false) };
}

/// A rig's part of the machine.
pub struct Share(Option<ThreadId>);

impl Share {
    /// Waits while a test has the machine to itself, or waits for it.
    pub fn take() -> Self {
        if IS_POOL.get() {
            return Self(None);
        }
        let me = std::thread::current().id();
        let users = USERS.lock().unwrap();
        let must_wait = |users: &mut Users| users.alone > 0 && !users.rigs.contains_key(&me);
        let mut users = CHANGED.wait_while(users, must_wait).unwrap();
        *users.rigs.entry(me).or_default() += 1;
        Self(Some(me))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(thread) = self.0 else { return };
        let mut users = USERS.lock().unwrap();
        let count = users.rigs.get_mut(&thread).unwrap();
        *count -= 1;
        if *count == 0 {
            users.rigs.remove(&thread);
        }
        CHANGED.notify_all();
    }
}

/// The whole machine.
struct Alone;

impl Alone {
    fn take() -> Self {
        let mut users = USERS.lock().unwrap();
        users.alone += 1;
        let must_wait = |users: &mut Users| users.is_taken || !users.rigs.is_empty();
        let mut users = CHANGED.wait_while(users, must_wait).unwrap();
        users.is_taken = true;
        Self
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let mut users = USERS.lock().unwrap();
        users.alone -= 1;
        users.is_taken = false;
        CHANGED.notify_all();
    }
}

/// Does `work` for each number below `count`, `threads` at once, with the machine to itself; what
/// came out of it, in order. A run waits most of its time, so `threads` are more than there are
/// cores. The calling test has no rig of its own: it would wait for itself.
pub fn side_by_side<T: Send>(
    threads: usize,
    count: usize,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let _alone = Alone::take();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                IS_POOL.set(true);
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= count {
                        return;
                    }
                    let result = work(nth);
                    results.lock().unwrap().insert(nth, result);
                }
            });
        }
    });
    results.into_inner().unwrap().into_values().collect()
}
