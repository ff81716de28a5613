// SPDX-License-Identifier: Apache-2.0
#include "core/path_proof.hh"

#include <algorithm>

namespace nlb::core {
namespace {

constexpr std::size_t kMaxNeighbours = 6;
constexpr Nanos kLateAnswer = 500 * kMillisecond;  // an answer that has not come by then is lost

std::string times(int count) {
  return std::to_string(count) + (count == 1 ? " time" : " times");
}

}  // namespace

bool PathProof::Neighbour::owes_nothing(Nanos now) const {
  return answered >= asked || now - last_asked >= kLateAnswer;
}

bool PathProof::failed(const Check& check, Nanos now) const {
  return !check.answered && check.asked > 0 && now - check.first_asked >= kPathFailure;
}

bool PathProof::due(Check& check, Nanos now) const {
  if (check.answered || now < check.next || failed(check, now)) return false;
  if (check.asked++ == 0) check.first_asked = now;
  check.next = now + kPathInterval;
  return true;
}

std::vector<PathQuestion> PathProof::on_tick(const std::vector<IpAddress>& neighbours, Nanos now) {
  std::vector<PathQuestion> questions;
  if (!baseline_.answered) {
    if (neighbours.empty() || !due(baseline_, now)) return questions;
    for (std::size_t i = 0; i < std::min(neighbours.size(), kMaxNeighbours); ++i) {
      Neighbour& neighbour = neighbours_[neighbours[i]];
      ++neighbour.asked;
      neighbour.last_asked = now;
      questions.push_back({plan_.own, plan_.own, neighbours[i]});
    }
    return questions;
  }
  if (due(receive_, now)) {
    questions.push_back({plan_.own, plan_.cluster, answerer_});
    for (const auto& [address, neighbour] : neighbours_)  // one that does not mind a group is enough
      if (plan_.group && address != answerer_) questions.push_back({plan_.own, plan_.cluster, address});
  }
  if (!plan_.replace) return questions;
  if (due(receive_masked_, now)) questions.push_back({plan_.own, plan_.masked, answerer_});
  if (neighbours_[answerer_].owes_nothing(now) && due(transmit_, now))
    questions.push_back({plan_.masked, plan_.own, answerer_});
  return questions;
}

void PathProof::on_answer(const MacAddress& destination, const IpAddress& from, Nanos now) {
  const auto known = neighbours_.find(from);
  if (known == neighbours_.end()) return;
  if (destination == plan_.cluster && receive_.asked > 0 && !receive_.answered) {
    receive_.answered = true;
    if (plan_.group) answerer_ = from;
  }
  if (destination == plan_.masked && receive_masked_.asked > 0) receive_masked_.answered = true;
  if (destination != plan_.own) return;
  Neighbour& neighbour = known->second;
  if (from == answerer_ && transmit_.asked > 0 && neighbour.owes_nothing(now)) {
    transmit_.answered = true;
    return;
  }
  ++neighbour.answered;
  if (baseline_.answered) return;
  baseline_.answered = true;
  answerer_ = from;
}

bool PathProof::peer_answers_plain_probes() const {
  return std::any_of(neighbours_.begin(), neighbours_.end(), [&](const auto& known) {
    return known.second.answered > 0 && peers_.contains(known.first);
  });
}

// Copies in IP come every second period; some may be lost.
bool PathProof::group_over(Nanos now) const {
  if (heard_by_cluster_mac_ && !baseline_.answered)
    return neighbours_.empty() || now - began_at_ >= kPathSilence;
  if (heard_by_cluster_mac_) return receive_.answered || failed(receive_, now);
  if (company_since_ != 0) return now - company_since_ >= std::max(kPathFailure, 8 * plan_.period);
  if (now - began_at_ < std::max(kPathCompany, 3 * plan_.period)) return false;
  if (!baseline_.answered) return now - began_at_ >= kPathSilence;
  return receive_.answered || failed(receive_, now);
}

bool PathProof::over(Nanos now) const {
  if (plan_.group) return group_over(now);
  if (!baseline_.answered) return now - began_at_ >= kPathSilence;
  const auto settled = [&](const Check& check) { return check.answered || failed(check, now); };
  return settled(receive_) && (!plan_.replace || (settled(receive_masked_) && settled(transmit_)));
}

PathVerdict PathProof::nobody() const {
  if (neighbours_.empty())
    return {BindReason::unproven, "there is nobody to ask: no gateway, no peer and no known neighbour"};
  std::string asked;
  for (const auto& [address, neighbour] : neighbours_) asked += (asked.empty() ? "" : ", ") + address.text();
  return {BindReason::unproven, "asked " + asked + ": no answer to a plain ARP probe"};
}

PathVerdict PathProof::group_verdict() const {
  const std::string mac = plan_.cluster.text();
  if (heard_by_cluster_mac_ && !receive_.answered && peer_answers_plain_probes())
    return {BindReason::arp_filtered,
            "a peer's heartbeat in IP to the group " + mac +
                " came in, but no answer to ARP that names it; plain ARP probes are "
                "answered"};
  if (heard_by_cluster_mac_)
    return {BindReason::none, "a peer's heartbeat in IP to the group " + mac + " came in"};
  if (company_since_ != 0)
    return {BindReason::rx_filtered, "peers are heard, but none of their heartbeats in IP to the group " +
                                         mac +
                                         ": a switch that snoops IGMP keeps back IP whose address is no "
                                         "joined group"};
  if (!baseline_.answered) return nobody();
  if (receive_.answered)
    return {BindReason::none, answerer_.text() + " answered to the group " + mac +
                                  " by ARP; that IP comes in there, too, a peer will show"};
  return {BindReason::unproven,
          answerer_.text() + " answers plain ARP probes; asked " + times(receive_.asked) + " to answer to " +
              mac +
              ", it was not heard: routers need not answer to a group (RFC 1812 section 3.3.2), or the " +
              "switch filters it. No peer is there to tell"};
}

PathVerdict PathProof::verdict() const {
  if (plan_.group) return group_verdict();
  if (!baseline_.answered) return nobody();
  const std::string who = answerer_.text();
  const auto nothing = [&](const Check& check, const std::string& what) {
    return who + " answers plain ARP probes; asked " + times(check.asked) + " " + what + ", it was not heard";
  };
  if (plan_.replace && !transmit_.answered)
    return {BindReason::tx_filtered, nothing(transmit_, "from the masked MAC " + plan_.masked.text())};
  const bool received = receive_.answered && (!plan_.replace || receive_masked_.answered);
  if (received) return {BindReason::none, who + " answered at every MAC that the strategy needs"};
  const bool cluster = !receive_.answered;
  const std::string mac = (cluster ? plan_.cluster : plan_.masked).text();
  const auto evidence = nothing(cluster ? receive_ : receive_masked_, "to answer to " + mac);
  if (heard_by_cluster_mac_)
    return {BindReason::arp_filtered, evidence + "; frames of a peer to the cluster MAC do come in"};
  return {BindReason::rx_or_arp_filtered, evidence};
}

}  // namespace nlb::core
