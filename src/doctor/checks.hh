// SPDX-License-Identifier: Apache-2.0
// The groups of checks, private to src/doctor. Each appends its own.
#pragma once

#include "doctor/check.hh"

namespace nlb::doctor {

class Report {
 public:
  void pass(const char* id, std::string detail) { add(id, Status::pass, std::move(detail), ""); }
  void warn(const char* id, std::string detail, std::string remedy) {
    add(id, Status::warn, std::move(detail), std::move(remedy));
  }
  void fail(const char* id, std::string detail, std::string remedy) {
    add(id, Status::fail, std::move(detail), std::move(remedy));
  }
  // The bad status when there is something to tell, else pass.
  void judge(const char* id, Status bad, const std::string& trouble, const std::string& remedy,
             const std::string& well) {
    trouble.empty() ? pass(id, well) : add(id, bad, trouble, remedy);
  }
  [[nodiscard]] std::vector<Check> take() { return std::move(checks_); }

 private:
  void add(const char* id, Status status, std::string detail, std::string remedy) {
    checks_.push_back({id, status, std::move(detail), std::move(remedy)});
  }
  std::vector<Check> checks_;
};

// What every interface check looks at.
struct Subject {
  const Facts& facts;
  const Config& config;
  const InterfaceFacts& on;
  bool replace = false;  // the strategy in force, else the configured one
  bool bound = false;    // a VIP is on the adapter, or nlbd says so
  MacAddress cluster_mac, masked_mac;
  RemedyNames names;
};

void check_system(const Facts& facts, Report& report);
void check_configuration(const Facts& facts, Report& report);
void check_daemon(const Facts& facts, Report& report);
void check_platform(const Subject& subject, Report& report);
void check_switch_policy(const Subject& subject, Report& report);
void check_link(const Subject& subject, Report& report);
void check_addresses(const Subject& subject, Report& report);
void check_macs(const Subject& subject, Report& report);
void check_sysctls(const Subject& subject, Report& report);
void check_surroundings(const Subject& subject, Report& report);  // managers, firewall, guard
void check_services(const Subject& subject, Report& report);

// Objections read "what is wrong: what to do"; the two halves, each joined.
struct Halves {
  std::string wrong, remedy;
};
[[nodiscard]] Halves halves_of(const std::vector<std::string>& objections);
[[nodiscard]] std::string joined(const std::vector<std::string>& texts, const char* between = "; ");

}  // namespace nlb::doctor
