//! The SSH ports of simulated instances, as another program finds them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::rig::{Rig, Running, bare};

#[test]
fn the_simulator_says_at_which_port_its_instances_answer_by_ssh() {
    let rig = Rig::new(2);
    let mut command = bare(rig.folder.path());
    command.args(["simulate", "fleet.csv", "--ssh-port", "0"]);
    let mut simulator = Running::start(command);
    simulator.wait_for_word("Ctrl-C");
    let said = simulator.said();
    let port = said
        .lines()
        .find_map(|line| line.strip_prefix("SSH port of each instance: "));
    let port: u16 = port.expect(&said).parse().unwrap();
    let ask = |ip: &str| {
        let stream = TcpStream::connect((ip, port)).unwrap();
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).unwrap();
        BufReader::new(stream)
    };
    for ip in ["127.66.0.1", "127.66.0.2"] {
        let mut line = String::new();
        ask(ip).read_line(&mut line).unwrap();
        assert!(line.starts_with("SSH-2.0-"), "{line}");
    }
    // There is no third instance.
    let refused = ask("127.66.0.3").read(&mut [0; 1]).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionReset);
    simulator.signal("TERM");
    simulator.end().exit(0);
}
