// SPDX-License-Identifier: Apache-2.0
// What the model's halves (IPv4, IPv6) hand to each other. Private to the model.
#pragma once

#include "datapath/filter_model.hh"
#include "datapath/model_octets.hh"

namespace nlb {

struct FilterModel::Packet {
  IpAddress client, vip;
  uint8_t protocol;
  bool first_fragment;
  model::Bytes payload;  // as long as the IP header says
};

}  // namespace nlb
