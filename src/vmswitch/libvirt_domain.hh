// SPDX-License-Identifier: Apache-2.0
// A libvirt domain's XML, as a hook gets it on its standard input: adapters, the interfaces that libvirt made
// for them, and the settings that <metadata> gives them:
//
//     <metadata>
//       <nlb:vmswitch xmlns:nlb="urn:opennlb:vmswitch:1">
//         <nlb:port adapter="net0" mac-spoofing="cluster" cluster="web" host-id="1">
//           <nlb:address>10.77.0.11</nlb:address>
//         </nlb:port>
//       </nlb:vmswitch>
//     </metadata>
//
// One element, because libvirt keeps one a namespace and silently drops the others. Whether values are good
// is judged where all values of the configuration are; here only whether the form is.
#pragma once

#include <string>

#include "vmswitch/guest_machine.hh"

namespace nlb::vmswitch {

inline constexpr const char* kMetadataNamespace = "urn:opennlb:vmswitch:1";

// No XML of a domain, or a domain whose name cannot be one here although it has settings: an error. A fault
// in the settings leaves the machine known: the adapters concerned, or all, are `refused`.
[[nodiscard]] Result<GuestMachine> read_libvirt_domain(const std::string& xml);

}  // namespace nlb::vmswitch
