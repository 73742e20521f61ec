//! The use of limits: by a store, and by all the stores that share a quota.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasi_mmap_core::{Error, Result};

use crate::limits::{Limit, Limits, exceeded};

/// The present use of limits: by one store, or by all that share a [`Quota`].
#[derive(Debug, Default)]
pub struct Usage {
    mappings: AtomicU64,
    mapped_bytes: AtomicU64,
    anonymous_bytes: AtomicU64,
    windows: AtomicU64,
    window_bytes: AtomicU64,
    held_bytes: AtomicU64,
    partial_advice: AtomicU64,
    lock_owners: AtomicU64,
    locks: AtomicU64,
}

impl Usage {
    /// Returns the present use of a limit: 0 for those that hold for each call alone.
    pub fn get(&self, limit: Limit) -> u64 {
        self.counter(limit).map_or(0, |counter| counter.load(Relaxed))
    }

    fn counter(&self, limit: Limit) -> Option<&AtomicU64> {
        match limit {
            Limit::Mappings => Some(&self.mappings),
            Limit::MappedBytes => Some(&self.mapped_bytes),
            Limit::AnonymousBytes => Some(&self.anonymous_bytes),
            Limit::Windows => Some(&self.windows),
            Limit::WindowBytes => Some(&self.window_bytes),
            Limit::HeldBytes => Some(&self.held_bytes),
            Limit::PartialAdvice => Some(&self.partial_advice),
            Limit::LockOwners => Some(&self.lock_owners),
            Limit::Locks => Some(&self.locks),
            Limit::BytesPerCall | Limit::WorkPerCall => None,
        }
    }
}

/// Limits that stores share: those of one tenant, or of the whole process. A plugin gets what its store's own limits and
/// every quota above the store allow, and `limit-exceeded` otherwise.
///
/// Clones are handles to the same quota. The limits that hold for each call alone ([`Limit::BytesPerCall`],
/// [`Limit::WorkPerCall`]) are not shared: a quota lowers those of its stores to its own.
///
/// # Example
///
/// ```
/// use wasi_mmap_host::{Limit, Limits, MmapCtx, Quota};
///
/// let process = Quota::new(Limits::of_process());
/// let mut limits = Limits::unlimited();
/// limits.set(Limit::AnonymousBytes, 256 << 20);
/// let tenant = Quota::within(&process, limits);
///
/// // Every store of the tenant has such a context: together they have 256 MiB of memory.
/// let ctx = MmapCtx::builder().quota(&tenant).build();
/// assert_eq!(tenant.usage().get(Limit::AnonymousBytes), 0);
/// # drop(ctx);
/// ```
#[derive(Debug, Clone)]
pub struct Quota(Arc<Account>);

impl Quota {
    /// Returns a quota with these limits.
    pub fn new(limits: Limits) -> Self {
        Self(Account::new(limits, None))
    }

    /// Returns a quota with these limits, whose use counts towards `parent` as well. Quotas can be nested as deep as
    /// needed; each costs one atomic operation whenever something is mapped, attached or dropped.
    pub fn within(parent: &Self, limits: Limits) -> Self {
        Self(Account::new(limits, Some(parent)))
    }

    /// Returns the limits, of which those of calls are lowered to the parent's.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Returns the present use by all stores that share the quota.
    pub fn usage(&self) -> &Arc<Usage> {
        &self.0.usage
    }
}

/// Limits, their use, and the quota that they are a part of: of a store, or of a quota.
#[derive(Debug, Default)]
pub(crate) struct Account {
    limits: Limits,
    usage: Arc<Usage>,
    parent: Option<Arc<Self>>,
}

impl Account {
    pub(crate) fn new(mut limits: Limits, quota: Option<&Quota>) -> Arc<Self> {
        let parent = quota.map(|quota| Arc::clone(&quota.0));
        if let Some(parent) = &parent {
            limits.restrict_calls(&parent.limits);
        }
        Arc::new(Self { limits, usage: Arc::default(), parent })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }

    /// Changes the use of a limit from `old`, a part of it, to `new`, here and in the quotas above.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`], never if `new` is not greater. The use is as it was then.
    fn change(&self, limit: Limit, old: u64, new: u64) -> Result<()> {
        let Some(counter) = self.usage.counter(limit) else { return Ok(()) };
        let most = self.limits.get(limit);
        let grant = |used: u64| (used - old).checked_add(new).filter(|&needed| needed <= most || new <= old);
        if let Err(used) = counter.try_update(Relaxed, Relaxed, grant) {
            return Err(exceeded(limit, most, (used - old).saturating_add(new)));
        }
        let Some(parent) = &self.parent else { return Ok(()) };
        parent.change(limit, old, new).map_err(|error| {
            // Others may have changed the counter meanwhile, but not this part of it.
            counter.fetch_sub(new - old, Relaxed);
            match error {
                Error::LimitExceeded(why) => {
                    Error::LimitExceeded(format!("{why}, in a quota of several plugins").into())
                }
                error => error,
            }
        })
    }
}

/// A part of a limit, which is returned when the permit is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit {
    account: Arc<Account>,
    limit: Limit,
    amount: u64,
}

impl Permit {
    /// Returns a permit for an amount.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`].
    pub(crate) fn new(account: &Arc<Account>, limit: Limit, amount: u64) -> Result<Self> {
        let mut permit = Self { account: Arc::clone(account), limit, amount: 0 };
        permit.change(amount)?;
        Ok(permit)
    }

    /// Changes the amount. A smaller one is always granted.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`]; the permit keeps the old amount then.
    pub(crate) fn change(&mut self, amount: u64) -> Result<()> {
        self.account.change(self.limit, self.amount, amount)?;
        self.amount = amount;
        Ok(())
    }

    pub(crate) fn amount(&self) -> u64 {
        self.amount
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let returned = self.change(0);
        debug_assert!(returned.is_ok(), "less is always granted");
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn limits(mapped_bytes: u64) -> Limits {
        let mut limits = Limits::unlimited();
        limits.set(Limit::MappedBytes, mapped_bytes);
        limits
    }

    #[test]
    fn a_limit_holds_until_permits_are_returned() {
        let account = Account::new(limits(100), None);
        let mut first = Permit::new(&account, Limit::MappedBytes, 60).expect("60 of 100");
        let refused = Permit::new(&account, Limit::MappedBytes, 41).expect_err("101 of 100");
        assert_eq!(refused.to_string(), "limit exceeded: mapped-bytes is 100, and 101 would be needed");
        assert!(Permit::new(&account, Limit::MappedBytes, u64::MAX).is_err());
        first.change(100).expect("100 of 100");
        assert!(first.change(101).is_err());
        assert_eq!(account.usage().get(Limit::MappedBytes), 100);
        first.change(1).expect("less");
        let second = Permit::new(&account, Limit::MappedBytes, 99).expect("100 of 100");
        drop((first, second));
        assert_eq!(account.usage().get(Limit::MappedBytes), 0);
    }

    #[test]
    fn quotas_hold_at_every_level() {
        let process = Quota::new(limits(100));
        let tenants = [60, 80].map(|most| Quota::within(&process, limits(most)));
        let used = || [&process, &tenants[0], &tenants[1]].map(|quota| quota.usage().get(Limit::MappedBytes));
        let stores = [0, 0, 1].map(|tenant: usize| Account::new(limits(50), Some(&tenants[tenant])));
        let permit = |store: usize, bytes| Permit::new(&stores[store], Limit::MappedBytes, bytes);

        let mut first = permit(0, 50).expect("50 of 50, 60 and 100");
        let refused = permit(0, 1).expect_err("51 of the store's 50");
        assert_eq!(refused.to_string(), "limit exceeded: mapped-bytes is 50, and 51 would be needed");
        let refused = permit(1, 11).expect_err("61 of the tenant's 60");
        let text = "limit exceeded: mapped-bytes is 60, and 61 would be needed, in a quota of several plugins";
        assert_eq!(refused.to_string(), text);
        let second = permit(1, 10).expect("60 of the tenant's 60");
        assert!(permit(2, 41).is_err(), "101 of the process's 100");
        assert_eq!((used(), stores[2].usage().get(Limit::MappedBytes)), ([60, 60, 0], 0), "refusals keep nothing");
        let third = permit(2, 40).expect("100 of the process's 100");
        assert!(first.change(51).is_err());
        assert_eq!(used(), [100, 60, 40]);
        first.change(5).expect("less");
        assert_eq!(used(), [55, 15, 40]);
        drop((first, second, third));
        assert_eq!(used(), [0; 3]);
    }

    #[test]
    fn limits_of_calls_are_the_lowest() {
        let mut low = Limits::default();
        low.set(Limit::WorkPerCall, 7);
        let quota = Quota::within(&Quota::new(low), Limits::unlimited());
        let account = Account::new(Limits::default(), Some(&quota));
        assert_eq!(account.limits().get(Limit::WorkPerCall), 7);
        assert_eq!(account.limits().get(Limit::BytesPerCall), Limits::default().get(Limit::BytesPerCall));
    }

    #[test]
    fn threads_keep_a_quota_together() {
        let quota = Quota::new(limits(10));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let store = Account::new(limits(8), Some(&quota));
                    for round in 0..10_000 {
                        let permit = Permit::new(&store, Limit::MappedBytes, round % 9 + 1);
                        assert!(quota.usage().get(Limit::MappedBytes) <= 10);
                        drop(permit);
                    }
                    assert_eq!(store.usage().get(Limit::MappedBytes), 0);
                });
            }
        });
        assert_eq!(quota.usage().get(Limit::MappedBytes), 0);
    }
}
