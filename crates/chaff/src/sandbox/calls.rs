//! System calls: those that a worker makes, and those that only an intruder would.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// What a worker calls once it is set up, and what its allocator, its messages and its end take. Calls that only some
/// kernels or libraries make for these are here as well.
const OF_A_WORKER: &[libc::c_long] = &[
    // Packets, the hub, other workers, the supervisor, messages on stderr.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    // The state of a packet socket: losses, and whether its interface is still there.
    libc::SYS_getsockopt,
    libc::SYS_getsockname,
    // The spool.
    libc::SYS_lseek,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_statx,
    // Time and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    // Memory; see the conditions below.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    // The end, also by a panic.
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_gettid,
    libc::SYS_sched_yield,
];

/// Calls that map memory, and the place of the protection among their arguments.
const MAPPING: [(libc::c_long, u8); 2] = [(libc::SYS_mmap, 2), (libc::SYS_mprotect, 2)];

/// Calls of a worker in which one argument has one value: the call, the argument's place and its width.
const BOUND: [(libc::c_long, u8, SeccompCmpArgLen); 2] = [
    // To whom a message goes: to nobody but whom its socket is connected to. A packet socket would take any interface of
    // the machine for it, whichever it is bound to (packet(7)).
    (libc::SYS_sendto, 4, SeccompCmpArgLen::Qword),
    // Whose thread a signal goes to: one of its own, as when it panics.
    (libc::SYS_tgkill, 0, SeccompCmpArgLen::Dword),
];

/// What no child does, and whoever tries it is an intruder: the process ends at once.
const OF_AN_INTRUDER: &[libc::c_long] = &[
    // Other programs, other processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // The system.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_sethostname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
];

/// What a worker does not do either, while the hub does: files, sockets, threads.
const OF_AN_INTRUDER_IN_A_WORKER: &[libc::c_long] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_mkdirat,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_memfd_create,
    libc::SYS_socket,
    libc::SYS_socketpair,
    // Messages that name whom they go to; see `BOUND`.
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_kill,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_capset,
];

/// Whether the kernel has filters, and the action that this uses (Linux 4.14 and later).
pub(super) fn is_supported() -> bool {
    // One line of names; not there where seccomp is not.
    let actions = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    actions.split_ascii_whitespace().any(|action| action == "kill_process")
}

/// From here on every call of a worker that is not in its list fails with EPERM, and whatever only an intruder would
/// call ends the process. The kernel takes the stricter of the two filters.
pub(super) fn allow_those_of_a_worker() -> Result<(), String> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = OF_A_WORKER.iter().map(|&call| (call, Vec::new())).collect();
    for (call, argument) in MAPPING {
        // No memory becomes code.
        let executable = libc::PROT_EXEC.unsigned_abs().into();
        let not_executable = SeccompCmpOp::MaskedEq(executable);
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, not_executable, 0).map_err(text)?;
        rules.insert(call, vec![SeccompRule::new(vec![condition]).map_err(text)?]);
    }
    let own = u64::from(std::process::id());
    for ((call, argument, width), value) in BOUND.into_iter().zip([0, own]) {
        let condition = SeccompCondition::new(argument, width, SeccompCmpOp::Eq, value).map_err(text)?;
        rules.insert(call, vec![SeccompRule::new(vec![condition]).map_err(text)?]);
    }
    let list = program(rules, SeccompAction::Errno(libc::EPERM.unsigned_abs()), SeccompAction::Allow)?;
    let forbidden = OF_AN_INTRUDER.iter().chain(OF_AN_INTRUDER_IN_A_WORKER);
    // The list comes last: it does not hold the call that sets filters.
    for program in [deadly(forbidden)?, list] {
        apply_filter(&program).map_err(text)?;
    }
    Ok(())
}

/// From here on whatever only an intruder would call ends the process.
pub(super) fn forbid_those_of_an_intruder() -> Result<(), String> {
    apply_filter(&deadly(OF_AN_INTRUDER.iter())?).map_err(text)
}

/// From here on the calls of an intruder fail, other than to start a program, and so does a socket that is not one of this
/// machine's own. They end nobody: an emulator tries some of them to see what the kernel has.
pub(super) fn refuse_those_of_an_intruder_but_starting() -> Result<(), String> {
    let calls = OF_AN_INTRUDER.iter().filter(|&&call| call != libc::SYS_execve);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = calls.map(|&call| (call, Vec::new())).collect();
    rules.extend(sockets_to_elsewhere()?);
    apply_filter(&refusing(rules)?).map_err(text)
}

/// From here on there is no new socket but one of this machine's own.
pub(super) fn refuse_sockets_to_elsewhere() -> Result<(), String> {
    apply_filter(&refusing(sockets_to_elsewhere()?.into())?).map_err(text)
}

fn sockets_to_elsewhere() -> Result<[(i64, Vec<SeccompRule>); 1], String> {
    let own = libc::AF_UNIX.unsigned_abs().into();
    let elsewhere = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, own).map_err(text)?;
    Ok([(libc::SYS_socket, vec![SeccompRule::new(vec![elsewhere]).map_err(text)?])])
}

fn refusing(rules: BTreeMap<i64, Vec<SeccompRule>>) -> Result<BpfProgram, String> {
    program(rules, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM.unsigned_abs()))
}

fn deadly<'a>(calls: impl Iterator<Item = &'a libc::c_long>) -> Result<BpfProgram, String> {
    program(calls.map(|&call| (call, Vec::new())).collect(), SeccompAction::Allow, SeccompAction::KillProcess)
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, String> {
    let machine =
        std::env::consts::ARCH.try_into().map_err(|_| format!("no filters for {}", std::env::consts::ARCH))?;
    SeccompFilter::new(rules, otherwise, listed, machine).and_then(BpfProgram::try_from).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
