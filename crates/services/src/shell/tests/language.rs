//! The language of the shell beside the real ones, to the octet.

use super::*;

/// Lines that bash, and where they are in POSIX all shells, read.
const LINES: &[&str] = &[
    "echo $((73*41)) $((1+2*3)) $(( (1+2)*3 )) $((7/2)) $((-7%3)) $((1<<4|3)) $((5>3&&2<1)) $((!0)) $((~5))",
    "x=5; echo $((x+1)) $((x*=2)) $x $((x==10?1:2)) $(($x-1))",
    "echo $((0x1f)) $((017)) $((2>=2)) $((1,2)) \"a$((1+1))b\"",
    "echo $((1/0)); echo no",
    "for i in 1 2 3; do echo $i; done",
    "for i in a b; do for j in 1 2; do echo $i$j; done; done",
    "i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done; echo end $i",
    "i=0; until [ $i -ge 2 ]; do i=$((i+1)); done; echo $i",
    "if true; then echo a; else echo b; fi; if false; then echo a; elif true; then echo c; fi",
    "if false; then echo a; fi; echo $?",
    "case abc in a*) echo yes;; *) echo no;; esac; case x in a|x) echo two;; esac; case q in a) ;; esac; echo $?",
    "for i in 1 2 3 4; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done",
    "{ echo a; echo b; } | wc -l; (cd /etc; pwd); pwd; (exit 4); echo $?",
    "! true; echo $?; ! false; echo $?",
    "printf 'a b\\nc d\\n' | while read x y; do echo $y-$x; done",
    "cat <<EOF\na $((1+1)) $x.\nEOF\necho b",
    "cat <<'EOF' | tr a b\na $x\nEOF",
    "cat <<-E\n\tx\n\tE\necho y",
    "sh -c 'echo $0 $1 $#' x y; sh -c 'exit 3'; echo $?",
    "eval 'echo a; echo b' | wc -l; eval exit 5",
    "set -- a b c; echo $# $1 $2 $@; shift; echo $1; echo ${1}x",
    "x=abc.tar.gz; echo ${x%.*} ${x%%.*} ${x#*.} ${x##*.} ${#x}",
    "unset x; echo ${x:-a} ${x-b} ${x:=c} $x ${x:+d} ${x+e}",
    "test -z '' && echo empty; test 3 -gt 2 && echo more; test a = b || echo other; [ -n a -a -n b ] && echo both",
    "[ ! -e /nothing ] && echo none; [ -d / ] && echo d; [ -f /etc/passwd ] && echo f; [ a != b ] && echo c",
    "echo a > /tmp/.chaff-$$; cat /tmp/.chaff-$$; rm /tmp/.chaff-$$; cat /tmp/.chaff-$$ 2>/dev/null || echo gone",
    "true && { echo a; false; } || echo b",
    "echo a; # a remark\necho b # another\n\n\necho c",
    "echo 'a\nb' | wc -l; echo a \\\n b",
    "x=$(echo a; echo b); echo \"$x\"; echo $x",
    "echo \"$(echo \"a  b\")\" `echo c`",
    "echo a 2>&1 >/dev/null; cat /nothing 2>&1 >/dev/null | wc -l",
    "while true; do break; done; echo $?; for i in; do echo $i; done; echo $?",
    "x=1 y=2; echo $x$y; x='a b'; for i in $x \"$x\"; do echo \"<$i>\"; done",
    "echo [a-c] '[' ]; case b in [a-c]) echo in;; esac; case d in [!a-c]) echo out;; esac",
    "if [ 1 = 1 ]\nthen\necho lines\nfi",
    "f=/etc/passwd; [ -r \"$f\" ] && wc -l < $f | grep -c .",
    "cd /nothing || echo stays; cd /etc && echo there",
    "exec echo over; echo never",
];

/// Lines that only bash reads so.
const BASH: &[&str] = &[
    "echo {1..3} {a,b}c {3..1} {01..03} x{1,{2,3}}y {a..c} {1..10..4} {a} {} {a,b}{1,2}",
    "echo $((2**10)) $((16#ff)) $((i++)) $((++i)) $i $((i--)) $((--i))",
    "for ((i=0; i<3; i++)); do echo $i; done; ((i>2)) && echo more; ((0)); echo $?",
    "[[ abc == a* ]] && echo fits; [[ a != b && -d / ]] && echo both; [[ x == y || 1 -eq 1 ]] && echo one",
    "x=abcdef; echo ${x:1:3} ${x:2} ${x: -2} ${x/b/X} ${x//[a-c]/-}",
    "cat <<< word; echo $'a\\tb'; let x=3+4; echo $x; let 0; echo $?",
    "echo a | | b",
    "if true",
    "echo )",
    "for i in 1; do echo; fi",
    "echo 'a",
    "[ a -eq 1 ]; echo $?",
    "[ a = ; echo $?",
    "echo $((1+)); echo no",
    "echo $((3 4))",
    "break; echo $?",
    "/etc/passwd; . /nothing; echo $?; sh /nothing; echo $?; bash /nothing; echo $?",
    "sh -c 'nothing-here'; sh -c 'echo a; cd /nothing'; sh -c 'if true'",
    "x=5 eval 'echo $x'; echo a &> /dev/null; echo b |& wc -l",
    "! false && echo on; echo ${UID} $EUID",
    "echo -e '\\033[1m\\x41\\u00e9\\a\\101\\q\\c' x; echo $'\\x41\\101\\e\\'q\\u20ac'; printf '\\101\\n%b' '\\0101\\n'",
    "sleep; sleep x; sleep 0; echo $?",
    "printf 'a\nb\n' > /tmp/.c1; printf 'a\nc\n' > /tmp/.c2; diff /tmp/.c1 /tmp/.c2; cmp /tmp/.c1 /tmp/.c2; rm /tmp/.c1 /tmp/.c2",
    "tar xf /nothing; echo $?; gzip /nothing; echo $?; echo x > /tmp/.c3; tar xf /tmp/.c3; echo $?; gunzip -c /tmp/.c3; rm /tmp/.c3",
    "mkdir -p /tmp/.f/a/b; echo x > /tmp/.f/a/c; echo 12345 > /tmp/.f/d; chmod 4755 /tmp/.f/d; find /tmp/.f | sort; find /tmp/.f -type f -name '*c'; find /tmp/.f -maxdepth 1 | sort; find /tmp/.f -perm -4000; find /tmp/.f -perm -u=s -type f; find /tmp/.f -empty; find /tmp/.f -type f -size -2 -exec cat {} + | sort; find /tmp/.f -type f ! -name c -exec basename {} \\;; ls -l /tmp/.f/d | cut -c1-10; find /tmp/.f -type f -print0 | wc -c; find /tmp/.f -foo; echo $?; mkdir /tmp/.f/a/q /tmp/.f/x/y; rmdir /tmp/.f/a; touch /tmp/.f; rm -r /tmp/.f; find /nothing; echo $?",
    "[ -c /dev/null ] && ls -l /dev/null /dev/zero | cut -d ' ' -f 1-6",
    "printf '#!/bin/sh\necho $1 $#; nothing\nexit 3\n' > /tmp/.c4; chmod +x /tmp/.c4; /tmp/.c4 a b; echo $?; rm /tmp/.c4",
    "printf 'echo $0; cd /nothing\n' > /tmp/.c5; bash /tmp/.c5; sh /tmp/.c5; . /tmp/.c5; /tmp/.c5; echo $?; rm /tmp/.c5",
];

fn compare<'l>(lines: impl Iterator<Item = &'l &'l str>, ours: fn(&str) -> Answer, theirs: fn(&str) -> Answer) {
    let wrong: Vec<_> = lines
        .map(|line| (line, ours(line), theirs(line)))
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(line, ours, theirs)| format!("== {line}\n--- ours\n{ours:?}\n--- real\n{theirs:?}"))
        .collect();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Output, errors, status.
type Answer = (String, String, i32);

#[test]
fn bash_says_the_same() {
    compare(
        LINES.iter().chain(BASH),
        |line| (exec_at_root(line).0, exec_at_root(line).1, exec_at_root(line).2.into()),
        real,
    );
}

#[test]
fn busybox_says_the_same() {
    compare(LINES.iter().filter(|line| !line.contains("sh -c")), ash::exec, ash::real);
}

#[test]
fn what_is_begun_goes_on_with_the_next_line() {
    let mut shell = shell_of("deploy", true);
    assert_eq!(say(&mut shell, "for i in 1 2"), "");
    assert_eq!(shell.prompt(), b"> ");
    assert_eq!(say(&mut shell, "do echo $i"), "");
    assert_eq!(say(&mut shell, "done"), "1\n2\n");
    assert_eq!(shell.prompt(), b"deploy@files-07:~$ ");
    assert_eq!(say(&mut shell, "echo 'a"), "");
    assert_eq!(say(&mut shell, "b'"), "a\nb\n");
    assert_eq!(say(&mut shell, "cat <<E"), "");
    assert_eq!(say(&mut shell, "x"), "");
    assert_eq!(say(&mut shell, "E"), "x\n");
    say(&mut shell, "echo \"");
    shell.interrupt(0, &mut Written::default());
    assert_eq!(say(&mut shell, "echo $?"), "130\n");
}

/// Each piece with the second at which it is written.
fn timed(line: &str) -> (Vec<(u64, String)>, u64, bool) {
    let mut said = Written::default();
    shell_of("deploy", true).handle_line(NOW, line.as_bytes(), &mut said);
    let pieces = said.pieces.iter().map(|piece| (piece.at / NANOS, String::from_utf8(piece.octets.clone()).unwrap()));
    (pieces.collect(), said.at / NANOS, said.endless)
}

#[test]
fn time_passes() {
    let seconds = |line: &str| timed(line).0.into_iter().map(|(at, _)| at).collect::<Vec<_>>();
    assert_eq!(timed("sleep 5"), (Vec::new(), 5, false));
    assert_eq!(timed("echo a; sleep 2; echo b").0, [(0, "a\n".into()), (2, "b\n".into())]);
    assert_eq!(seconds("for i in 1 2 3; do echo $i; sleep 10m; done"), [0, 600, 1200]);
    assert_eq!(timed("date +%s; sleep 3; date +%s").0, [(0, "1795747211\n".into()), (3, "1795747214\n".into())]);
    assert_eq!(timed("sleep 100 & echo a").1, 0);
    assert_eq!(timed("sleep 1 | sleep 2").1, 3);
    assert!(timed("while true; do date; sleep 1; done").2);
    // Many commands take as long as starting them does.
    assert_eq!(timed("for i in {1..2000}; do echo; done").1, 1);
    assert!(timed("while :; do :; done").2 && timed("sleep infinity").2);
    assert!(timed("time sleep 2").0.iter().any(|(_, text)| text.contains("real\t0m2.002s")));
}

#[test]
fn what_is_there_is_not_missing() {
    for program in said("ls -1 /usr/bin /usr/sbin").lines().filter(|line| !line.starts_with('/') && !line.is_empty()) {
        let told = exec_at_root(&format!("PATH=$PATH:/usr/sbin; {program} < /dev/null")).1;
        assert!(!told.contains("not found"), "{program}: {told}");
    }
    assert_eq!(
        exec("python3 -c 1"),
        (String::new(), "bash: line 1: /usr/bin/python3: Permission denied\n".into(), 126)
    );
    assert_eq!(said("nano x"), "Error opening terminal: xterm-256color.\n");
    assert!(said("cat /dev/urandom | md5sum") != said("cat /dev/urandom | cat /dev/urandom | md5sum"));
    let top = said("top -b -n 1 | head -12");
    assert!(
        top.contains("load average: ") && top.contains("MiB Mem : ") && top.contains("1 root      20   0 "),
        "{top}"
    );
    let used = said("free -m | awk '/Mem/{print $3}'").trim().to_string();
    assert!(top.contains(&format!(" {used}.")), "{used}: {top}");
    assert_eq!(said("find / -perm -4000 2>/dev/null"), "/usr/bin/mount\n/usr/bin/passwd\n/usr/bin/su\n/usr/bin/sudo\n");
    assert_eq!(said("ls -l /bin/su | cut -c 1-10; touch /tmp/x; ls -ld /tmp | grep -c 02:40"), "-rwsr-xr-x\n1\n");
    assert!(timed("top").2 && timed("top").0[0].1.starts_with("\x1b[H\x1b[2Jtop - 02:40:11 up "));
    assert!(
        said("ls -l /dev").contains("crw--w---- 1 deploy tty  136, 0 ")
            || said("ls -l /dev/pts").contains("crw--w---- 1 deploy tty 136, 0 ")
    );
}

#[test]
fn ping_is_answered_by_itself_and_who_is_there() {
    let (pieces, end, _) = timed("ping -c 3 10.20.3.9");
    assert_eq!((pieces.iter().map(|(at, _)| *at).collect::<Vec<_>>(), end), (vec![0, 0, 1, 2], 2));
    assert!(
        pieces[3]
            .1
            .contains("3 packets transmitted, 3 received, 0% packet loss, time 2000ms\nrtt min/avg/max/mdev = 0.")
    );
    let (pieces, end, _) = timed("ping -c 1 10.20.1.77");
    assert_eq!(end, 3);
    assert!(pieces[1].1.contains("From 10.20.1.16 icmp_seq=1 Destination Host Unreachable\n\n--- 10.20.1.77 ping"));
    assert_eq!(said("ping 192.0.2.1"), "ping: connect: Network is unreachable\n");
    let mut shell = shell_of("deploy", true);
    let mut told = Written::default();
    shell.handle_line(NOW, b"ping localhost", &mut told);
    assert!(
        told.endless && told.all().starts_with(b"PING localhost (127.0.0.1) 56(84) bytes of data.\n64 bytes from ")
    );
    let mut told = Written::default();
    shell.interrupt(4 * NANOS + NANOS / 2, &mut told);
    assert!(String::from_utf8(told.all()).unwrap().contains("\n5 packets transmitted, 5 received, 0% packet loss"));
}

#[test]
fn no_line_runs_away() {
    for line in [
        "for a in {1..1000}; do for b in {1..1000}; do for c in {1..1000}; do :; done; done; done",
        "while :; do echo {1..1000}; done",
        "A=x; while :; do A=$A$A; done",
        "echo {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",
        "eval eval eval eval eval eval eval eval eval eval eval eval eval eval eval eval eval eval eval echo a",
        "echo 'sh /tmp/a' > /tmp/a; sh /tmp/a",
        "while :; do find / -name x > /dev/null; done",
        "while :; do ls -laR / > /dev/null; done",
        "while :; do grep -r zzz / > /dev/null; done",
        "while :; do cat /etc/* | sort | uniq -c | wc > /dev/null; done",
        "cat /etc/* /etc/* /etc/* /etc/* > /tmp/big; while :; do cat /tmp/big /tmp/big | sort | md5sum; done > /dev/null",
        "while :; do grep -E '(a|b|ab)*(c|d)*$' /etc/*; done > /dev/null",
        "while :; do awk 'BEGIN{while(1)x=x+1}'; done",
        "while :; do sed ':a;s/^/x/;ta' /etc/passwd; done",
        "seq 2000 | xargs -I{} find / -name {}",
        "while :; do ps aux; ss -anp; last; done > /dev/null",
        "x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; x=$x$x$x$x; while :; do echo ${x//*a*a*a*a*b/c} ${x%%*b}; done > /dev/null",
        "while :; do echo /*/*/*/*/*; done > /dev/null",
        "echo $((((((((((((((((((((((((1))))))))))))))))))))))))",
        "echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo a)))))))))))",
    ] {
        let mut said = Written::default();
        let begun = std::time::Instant::now();
        shell_of("root", true).handle_line(NOW, line.as_bytes(), &mut said);
        assert!(said.all().len() <= MAX_OUTPUT, "{line}");
        // Some hundred times what it takes.
        assert!(begun.elapsed().as_secs() < 5, "{line}: {:?}", begun.elapsed());
    }
}

/// A node has 256 KiB of stack, of which a conversation needs some before it comes to its shell.
#[test]
fn what_is_nested_fits_a_small_stack() {
    let nested = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let lines = [
        nested("echo $(", "echo a", ")", 40),
        nested("{ ", "echo a", "; }", 40),
        nested("( ", "echo a", " )", 40),
        nested("if :; then ", "echo a", "; fi", 40),
        nested("for i in a; do ", "echo a", "; done", 40),
        nested("case a in a) ", "echo a", ";; esac", 40),
        nested("eval ", "echo a", "", 200),
        nested("sudo ", "echo a", "", 200),
        nested("nice ", "eval sh -c 'echo a'", "", 200),
        nested("find /etc/hostname -exec ", "echo a", " +", 40),
        nested("for i in a; do eval \"sh -c 'echo \\$(", "echo a", ")'\"; done", 8),
        "echo 'sh /tmp/a; eval sh /tmp/a; . /tmp/a' > /tmp/a; sh /tmp/a; eval . /tmp/a".into(),
        format!("echo $(({}))", nested("(1+", "1", ")", 200)),
        format!("echo $(({}))", nested("1?", "1", ":1", 200)),
        format!("echo $(({}))", nested("1**", "1", "", 500)),
        nested("echo ${x:-", "a", "}", 100),
        format!("[ {} ]", nested("( ", "a", " )", 100)),
        format!("expr {}", nested("\\( ", "1", " \\)", 100)),
        format!("awk 'BEGIN{{print {}}}'", nested("(1+", "1", ")", 100)),
        nested("eval ", &format!("awk 'BEGIN{{print {}}}'", nested("(1+", "1", ")", 12)), "", 20),
        nested("eval ", &format!("expr {}", nested("'(' ", "1", " ')'", 12)), "", 20),
        format!("awk 'BEGIN{{{}}}'", nested("if(1){", "print 1", "}", 100)),
        format!("awk 'BEGIN{{x={}}}'", nested("-", "1", "", 300)),
        format!("grep -E '{}' /etc/passwd", nested("(a|", "b", ")*", 200)),
        format!("sed '{}' /etc/passwd", nested("{", "p", "}", 200)),
        format!("sed 's/{}/x/' /etc/passwd", nested("\\(", "a", "\\)*", 100)),
    ];
    let run = move || {
        for line in lines {
            let mut said = Written::default();
            shell_of("root", true).handle_line(NOW, line.as_bytes(), &mut said);
        }
    };
    std::thread::Builder::new().stack_size(128 * 1024).spawn(run).unwrap().join().unwrap();
}
