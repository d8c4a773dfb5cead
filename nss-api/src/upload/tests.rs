//! Who waits, who is sent back, and whose domains are the operator's.

use std::time::Duration;

use super::*;

fn gate(more: &str) -> Gate {
    let config = format!("name_servers = [\"ns1.dns.example.net\"]\n{more}");
    Gate::new(Config::from_toml(&config).unwrap(), ZoneServer::new("/nonexistent/control.sock"), None)
}

#[tokio::test]
async fn a_text_that_waits_too_long_for_its_turn_is_sent_back() {
    let gate = gate("[limits]\nparses_max = 1\n[timeouts]\nqueue_ms = 1\n");
    let domain = Domain::parse("example.com").unwrap();
    let turn = gate.parses.acquire().await.unwrap();
    let refused = gate.check_text(&domain, Bytes::new(), BodyType::Plain).await.unwrap_err();
    assert_eq!((refused.status(), refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "busy"));
    drop(turn);
    let refused = gate.check_text(&domain, Bytes::new(), BodyType::Plain).await.unwrap_err();
    assert_eq!(refused.code(), "no-ns-records");
}

#[tokio::test]
async fn who_only_asks_takes_a_part_of_the_walks_and_no_more() {
    // Nobody answers at the root of this tree.
    let nobody = "[parent]\nroot_hints = [\"127.0.0.1\"]\ndns_port = 1\n";
    let gate = gate(&format!("{nobody}[limits]\nparent_checks_max = 5\n[timeouts]\nqueue_ms = 1\n"));
    let domain = Domain::parse("example.com").unwrap();
    let client: IpAddr = "192.0.2.1".parse().unwrap();
    let turns = gate.asks.try_acquire_many(2).expect("a quarter of five, rounded up");
    let refused = gate.standing(&domain, None, client).await.unwrap_err();
    assert_eq!((refused.status(), refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "busy"));
    drop(turns);
    assert_eq!(gate.asks.available_permits(), 2);
    // One of the two for each network; the name server behind is not there, which is told when the parent was asked.
    let place = gate.asks_of_each.take("192.0.2.255".parse().unwrap(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(gate.standing(&domain, None, client).await.unwrap_err().code(), "busy");
    drop(place);
    assert_eq!(gate.standing(&domain, None, client).await.unwrap_err().code(), "name-server-unavailable");
}

#[tokio::test]
async fn uploads_of_one_network_take_a_part_of_the_walks_and_no_more() {
    // Nobody answers at the root of this tree, and no walk is begun.
    let gate = gate(
        "[parent]\nroot_hints = [\"127.0.0.1\"]\ndns_port = 1\n[limits]\nparent_checks_max = 4\n[timeouts]\nqueue_ms = 1\n",
    );
    let domain = Domain::parse("example.com").unwrap();
    let client: IpAddr = "2001:db8:5::1".parse().unwrap();
    let place = gate.walks.take("2001:db8:5:ff00::1".parse().unwrap(), Duration::from_secs(60)).await.unwrap();
    let check = || gate.check_delegation(&domain, client, &Early::No(None), Wanted::NameServers);
    let Err(refused) = check().await else { panic!("accepted") };
    assert_eq!((refused.status(), refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "busy"));
    drop(place);
    let Err(refused) = check().await else { panic!("accepted") };
    assert_eq!(refused.code(), "delegation-unknown");
}

#[test]
fn the_operators_own_zone_comes_in_over_http_in_open_mode_only() {
    let domain = Domain::parse("dns.example.net").unwrap();
    assert_eq!(gate("").check_domain(&domain).unwrap_err().code(), "operators-domain");
    assert!(gate("ownership = \"open\"\n").check_domain(&domain).is_ok());
}
