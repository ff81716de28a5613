-- SPDX-License-Identifier: Apache-2.0
-- Wireshark dissector of OpenNLB's heartbeats and messages (EtherType 0x88B5; IP protocol 253) and of what
-- members and their switch say to each other (0x88B6). The formats: docs/protocol/heartbeat.md,
-- administration.md, policy-announcement.md, steering-announcement.md and fence-notice.md.
-- Heartbeats are signed, not encrypted, so no key is needed; whether the signature is good is not checked.
-- Use: wireshark -X lua_script:opennlb.lua, or copy this file into the personal plugin folder.

local opennlb = Proto("opennlb", "OpenNLB Heartbeat")

local HEADER_BYTES, SIGNATURE_BYTES, PEER_BYTES, FIXED_BYTES, HELD_BYTES = 44, 16, 16, 144, 16
local TAG_BYTES = 8
local BITMAP_BYTES, RULES = 512, 64
local MESSAGE_BYTES, CHUNK_ROOM = 32, 112

local types = {[1] = "heartbeat", [2] = "held part", [3] = "message part", [4] = "kept part"}
local states = {[0] = "stopped", "suspended", "converging", "converged", "draining", "refused"}
local kinds = {"request", "answer", "receipt"}
local phases = {[0] = "none", "seen", "released", "acquired"}
local modes = {"unicast", "multicast", "igmp"}
local offers = {[101] = "equal", [253] = "unhealthy", [254] = "drained", [255] = "disabled"}
for weight = 0, 101 do offers[102 + weight] = "unhealthy; if all are, " .. (offers[weight] or weight) end

local f = {
  magic = ProtoField.string("opennlb.magic", "Magic"),
  major = ProtoField.uint8("opennlb.version.major", "Version, major"),
  minor = ProtoField.uint8("opennlb.version.minor", "Version, minor"),
  type = ProtoField.uint8("opennlb.type", "Type", base.DEC, types),
  sender = ProtoField.uint8("opennlb.sender", "Sender (host id)"),
  length = ProtoField.uint16("opennlb.length", "Total length"),
  key_id = ProtoField.bytes("opennlb.key_id", "Key id"),
  cluster_id = ProtoField.bytes("opennlb.cluster_id", "Cluster id"),
  incarnation = ProtoField.uint64("opennlb.incarnation", "Incarnation", base.HEX),
  sequence = ProtoField.uint64("opennlb.sequence", "Sequence"),
  signature = ProtoField.bytes("opennlb.signature", "Signature (not checked)"),
  tag = ProtoField.bytes("opennlb.tag", "Tag (not checked)"),
  newer = ProtoField.bytes("opennlb.appended", "Appended by a newer minor version"),

  flags = ProtoField.uint16("opennlb.flags", "Flags", base.HEX),
  fresh = ProtoField.bool("opennlb.flags.fresh", "Fresh", 16, nil, 0x01),
  leaving = ProtoField.bool("opennlb.flags.leaving", "Leaving", 16, nil, 0x02),
  restarting = ProtoField.bool("opennlb.flags.restarting", "Restarting", 16, nil, 0x04),
  to_cluster_mac = ProtoField.bool("opennlb.flags.to_cluster_mac", "Sent to the cluster MAC", 16, nil, 0x08),
  ask = ProtoField.bool("opennlb.flags.ask", "Asks", 16, nil, 0x10),
  unhealthy = ProtoField.bool("opennlb.flags.unhealthy", "Unhealthy", 16, nil, 0x20),
  alone = ProtoField.bool("opennlb.flags.alone", "Alone", 16, nil, 0x40),
  keeps = ProtoField.bool("opennlb.flags.keeps", "Understands kept lists", 16, nil, 0x80),
  owns_nothing = ProtoField.bool("opennlb.flags.owns_nothing", "Owns nothing", 16, nil, 0x100),
  out_of_service = ProtoField.bool("opennlb.flags.out_of_service", "Out of service", 16, nil, 0x200),
  serves_as_last = ProtoField.bool("opennlb.flags.serves_as_last", "Serves when all are out", 16, nil, 0x400),
  in_ip = ProtoField.bool("opennlb.flags.in_ip", "Speaks to all in IP", 16, nil, 0x800),
  state = ProtoField.uint8("opennlb.state", "Host state", base.DEC, states),
  phase = ProtoField.uint8("opennlb.phase", "Phase", base.DEC, phases),
  view = ProtoField.uint32("opennlb.view", "View"),
  view_members = ProtoField.uint64("opennlb.view.members", "View members (bitmap)", base.HEX),
  view_digest = ProtoField.uint64("opennlb.view.digest", "View digest", base.HEX),
  mode = ProtoField.uint8("opennlb.mode", "Cluster mode", base.DEC, modes),
  peer_count = ProtoField.uint8("opennlb.peer_count", "Peer count"),
  period = ProtoField.uint16("opennlb.period_ms", "Period (ms)"),
  tolerance = ProtoField.uint16("opennlb.tolerance", "Tolerance (periods)"),
  hold = ProtoField.uint16("opennlb.hold_s", "Restart hold (s)"),
  vips = ProtoField.uint32("opennlb.digest.vips", "Digest of the VIPs", base.HEX),
  rules = ProtoField.uint32("opennlb.digest.rules", "Digest of the rules", base.HEX),
  seed = ProtoField.uint32("opennlb.digest.seed", "Digest of the seed", base.HEX),
  generation = ProtoField.uint32("opennlb.config_generation", "Configuration generation"),
  offer_generation = ProtoField.uint32("opennlb.offer_generation", "Offer generation"),
  held_generation = ProtoField.uint16("opennlb.held.generation", "Held generation"),
  held_parts = ProtoField.uint16("opennlb.held.parts", "Held parts"),
  kept_generation = ProtoField.uint16("opennlb.kept.generation", "Kept generation"),
  kept_parts = ProtoField.uint8("opennlb.kept.parts", "Kept parts"),
  dedicated_ipv4 = ProtoField.ipv4("opennlb.dedicated_ip", "Dedicated IP"),
  dedicated_ipv6 = ProtoField.ipv6("opennlb.dedicated_ipv6", "Dedicated IP"),
  adapter_mac = ProtoField.ether("opennlb.adapter_mac", "Adapter MAC"),
  offers = ProtoField.bytes("opennlb.offers", "Offers"),
  offer = ProtoField.uint8("opennlb.offer", "Offer", base.DEC, offers),

  peer = ProtoField.uint8("opennlb.peer.id", "Peer"),
  peer_phase = ProtoField.uint8("opennlb.peer.phase", "Phase", base.DEC, phases, 0x03),
  peer_accused = ProtoField.bool("opennlb.peer.accused", "Accused", 8, nil, 0x04),
  peer_held = ProtoField.uint16("opennlb.peer.held_generation", "Complete held generation"),
  peer_kept = ProtoField.uint8("opennlb.peer.kept_generation", "Complete kept generation", base.DEC, nil,
                               0xf8),
  peer_incarnation = ProtoField.uint32("opennlb.peer.incarnation", "Incarnation, low 32 bits", base.HEX),
  peer_sequence = ProtoField.uint32("opennlb.peer.sequence", "Newest sequence heard, low 32 bits"),
  peer_view = ProtoField.uint32("opennlb.peer.view", "View"),

  kind = ProtoField.uint8("opennlb.message.kind", "Kind", base.DEC, kinds),
  target = ProtoField.uint8("opennlb.message.target", "Target (host id)"),
  message_part = ProtoField.uint8("opennlb.message.part", "Part (from 0)"),
  message_parts = ProtoField.uint8("opennlb.message.parts", "Parts"),
  data_length = ProtoField.uint16("opennlb.message.length", "Length"),
  number = ProtoField.uint32("opennlb.message.number", "Number of the exchange"),
  echo = ProtoField.uint32("opennlb.message.echo", "Newest sequence heard of the target, low 32 bits"),
  target_incarnation = ProtoField.uint64("opennlb.message.target_incarnation", "Target's incarnation",
                                         base.HEX),
  have = ProtoField.uint64("opennlb.message.have", "Parts that the sender has (bitmap)", base.HEX),
  data = ProtoField.bytes("opennlb.message.data", "Data"),

  part = ProtoField.uint16("opennlb.held.part", "Part (from 0)"),
  slot_count = ProtoField.uint8("opennlb.held.slot_count", "Slot count"),
  slot = ProtoField.uint8("opennlb.held.slot", "Slot"),
  buckets = ProtoField.bytes("opennlb.held.bitmap", "Buckets (bitmap)"),
  bucket_count = ProtoField.uint16("opennlb.held.bucket_count", "Buckets"),
  owner = ProtoField.uint8("opennlb.kept.owner", "Owner (host id)"),
  held_from = ProtoField.uint16("opennlb.kept.held_from", "Held lists say enough from generation"),
}
opennlb.fields = f

local damaged = ProtoExpert.new("opennlb.damaged", "Damaged frame", expert.group.MALFORMED,
                                expert.severity.ERROR)
opennlb.experts = {damaged}

-- Adds fields one after another; a row is {field, byte count}, without a field the bytes are skipped.
local function add_rows(tree, tvb, at, rows)
  for _, row in ipairs(rows) do
    if row[1] then tree:add(row[1], tvb(at, row[2])) end
    at = at + row[2]
  end
  return at
end

local function add_flags(tree, tvb)
  local flags = tree:add(f.flags, tvb)
  for _, bit in ipairs({f.fresh, f.leaving, f.restarting, f.to_cluster_mac, f.ask, f.unhealthy, f.alone,
                         f.keeps, f.owns_nothing, f.out_of_service, f.serves_as_last, f.in_ip}) do
    flags:add(bit, tvb)
  end
end

local function add_dedicated_ip(tree, tvb)
  local is_ipv4 = tvb(0, 12):bytes():tohex() == "00000000000000000000FFFF"
  if is_ipv4 then tree:add(f.dedicated_ipv4, tvb(12, 4)) else tree:add(f.dedicated_ipv6, tvb) end
end

local function add_offers(tree, tvb)
  local list = tree:add(f.offers, tvb)
  for rule = 0, RULES - 1 do
    list:add(f.offer, tvb(rule, 1)):prepend_text("Rule " .. rule .. " ")
  end
end

local function add_peer(tree, tvb)
  local peer = tree:add(f.peer, tvb(0, 1))
  peer:set_len(PEER_BYTES)
  peer:add(f.peer_phase, tvb(1, 1))
  peer:add(f.peer_accused, tvb(1, 1))
  peer:add(f.peer_kept, tvb(1, 1))
  add_rows(peer, tvb, 2, {{f.peer_held, 2}, {f.peer_incarnation, 4}, {f.peer_sequence, 4}, {f.peer_view, 4}})
end

-- The body functions return the offset behind what they know, or nil and what is wrong.
local function heartbeat_body(tree, tvb, at, last)
  if last - at < FIXED_BYTES then return nil, "body shorter than a heartbeat" end
  local peers = tvb(at + 25, 1):uint()
  if last - at < FIXED_BYTES + peers * PEER_BYTES then return nil, "fewer peers than stated" end
  add_flags(tree, tvb(at, 2))
  at = add_rows(tree, tvb, at + 2, {
    {f.state, 1}, {f.phase, 1}, {f.view, 4}, {f.view_members, 8}, {f.view_digest, 8}, {f.mode, 1},
    {f.peer_count, 1}, {f.period, 2}, {f.tolerance, 2}, {f.hold, 2}, {f.vips, 4}, {f.rules, 4}, {f.seed, 4},
    {f.generation, 4}, {f.offer_generation, 4}, {f.held_generation, 2}, {f.held_parts, 2}})
  add_dedicated_ip(tree, tvb(at, 16))
  at = add_rows(tree, tvb, at + 16, {{f.adapter_mac, 6}, {f.kept_generation, 1}, {f.kept_parts, 1}})
  add_offers(tree, tvb(at, RULES))
  at = at + RULES
  for _ = 1, peers do
    add_peer(tree, tvb(at, PEER_BYTES))
    at = at + PEER_BYTES
  end
  return at
end

local function count_bits(tvb)
  local count = 0
  for i = 0, tvb:len() - 1 do
    local octet = tvb(i, 1):uint()
    while octet > 0 do
      count = count + octet % 2
      octet = math.floor(octet / 2)
    end
  end
  return count
end

local function held_body(tree, tvb, at, last)
  if last - at < HELD_BYTES then return nil, "body shorter than a held part" end
  local slots = tvb(at + 10, 1):uint()
  if slots < 1 or slots > 2 then return nil, "slot count is neither 1 nor 2" end
  if last - at < HELD_BYTES + slots * BITMAP_BYTES then return nil, "fewer bitmaps than stated" end
  add_rows(tree, tvb, at, {{f.view, 4}, {f.held_generation, 2}, {f.part, 2}, {f.held_parts, 2},
                           {f.slot_count, 1}})
  for i = 0, slots - 1 do
    local bitmap = tvb(at + HELD_BYTES + i * BITMAP_BYTES, BITMAP_BYTES)
    local slot = tree:add(f.slot, tvb(at + 11 + i, 1))
    slot:add(f.bucket_count, bitmap, count_bits(bitmap))
    slot:add(f.buckets, bitmap)
  end
  return at + HELD_BYTES + slots * BITMAP_BYTES
end

local function kept_body(tree, tvb, at, last)
  local known, wrong = held_body(tree, tvb, at, last)
  if known then add_rows(tree, tvb, at + 13, {{f.owner, 1}, {f.held_from, 2}}) end
  return known, wrong
end

local function message_body(tree, tvb, at, last)
  if last - at < MESSAGE_BYTES + CHUNK_ROOM then return nil, "body shorter than a message part" end
  local length = tvb(at + 4, 2):uint()
  local room = math.max(length, CHUNK_ROOM)
  if last - at < MESSAGE_BYTES + room then return nil, "fewer data than stated" end
  add_rows(tree, tvb, at, {
    {f.kind, 1}, {f.target, 1}, {f.message_part, 1}, {f.message_parts, 1}, {f.data_length, 2}, {nil, 2},
    {f.number, 4}, {f.echo, 4}, {f.target_incarnation, 8}, {f.have, 8}})
  if length > 0 then tree:add(f.data, tvb(at + MESSAGE_BYTES, length)) end
  return at + MESSAGE_BYTES + room
end

local function add_header(tree, tvb)
  return add_rows(tree, tvb, 0, {
    {f.magic, 4}, {f.major, 1}, {f.minor, 1}, {f.type, 1}, {f.sender, 1}, {f.length, 2}, {nil, 2},
    {f.key_id, 8}, {f.cluster_id, 8}, {f.incarnation, 8}, {f.sequence, 8}})
end

local function summary(tvb)
  local kind, sender = tvb(6, 1):uint(), tvb(7, 1):uint()
  local text = string.format("host %d, %s, sequence %s", sender, types[kind] or "unknown type",
                             tostring(tvb(36, 8):uint64()))
  if kind ~= 1 or tvb:len() < HEADER_BYTES + FIXED_BYTES then return text end
  return string.format("%s, %s, view %d %s", text, states[tvb(46, 1):uint()] or "?", tvb(48, 4):uint(),
                       phases[tvb(47, 1):uint()] or "?")
end

function opennlb.dissector(tvb, pinfo, root)
  if tvb:len() < HEADER_BYTES + SIGNATURE_BYTES or tvb(0, 4):string() ~= "ONLB" then return 0 end
  pinfo.cols.protocol = "OpenNLB"
  pinfo.cols.info = summary(tvb)
  local tree = root:add(opennlb, tvb())
  local at = add_header(tree, tvb)
  local total, kind = tvb(8, 2):uint(), tvb(6, 1):uint()
  local body = ({heartbeat_body, held_body, message_body, kept_body})[kind]
  local last = total - SIGNATURE_BYTES
  if total > tvb:len() or last < at or not body then
    tree:add_proto_expert_info(damaged, body and "stated length and real length differ" or "unknown type")
    return tvb:len()
  end
  local known, wrong = body(tree, tvb, at, last)
  if not known then tree:add_proto_expert_info(damaged, wrong) end
  if known and known < last then tree:add(f.newer, tvb(known, last - known)) end
  tree:add(f.signature, tvb(last, SIGNATURE_BYTES))
  if tvb:len() < total + TAG_BYTES then return total end
  tree:add(f.tag, tvb(total, TAG_BYTES))
  return total + TAG_BYTES
end

DissectorTable.get("ethertype"):add(0x88b5, opennlb)
-- ... and in IP, to a VIP or to the group of mode igmp (docs/protocol/heartbeat.md, "Carried in IP").
DissectorTable.get("ip.proto"):add(253, opennlb)

-- Policy announcements.
local policy = Proto("opennlb_policy", "OpenNLB Policy Announcement")
local POLICY_HEADER_BYTES, FIELD_HEADER_BYTES = 8, 4

local p = {
  magic = ProtoField.string("opennlb.policy.magic", "Magic"),
  major = ProtoField.uint8("opennlb.policy.version.major", "Version, major"),
  minor = ProtoField.uint8("opennlb.policy.version.minor", "Version, minor"),
  length = ProtoField.uint16("opennlb.policy.length", "Total length"),
  host = ProtoField.string("opennlb.policy.host", "Hypervisor"),
  bridge = ProtoField.string("opennlb.policy.bridge", "Bridge"),
  port = ProtoField.string("opennlb.policy.port", "Port"),
  vm = ProtoField.string("opennlb.policy.vm", "VM"),
  adapter = ProtoField.string("opennlb.policy.adapter", "Adapter"),
  mac = ProtoField.ether("opennlb.policy.mac", "MAC"),
  cluster = ProtoField.string("opennlb.policy.cluster", "Cluster"),
  spoofing = ProtoField.uint8("opennlb.policy.mac_spoofing", "MAC spoofing", base.DEC,
                              {[0] = "off", "cluster", "on"}),
  host_id = ProtoField.uint8("opennlb.policy.host_id", "Host id"),
  audit = ProtoField.bool("opennlb.policy.audit", "Audit", 8, nil, 0x01),
  require_stopped = ProtoField.bool("opennlb.policy.require_stopped", "Require stopped", 8, nil, 0x02),
  steering = ProtoField.uint32("opennlb.policy.steering", "Steers; generation in force", base.HEX),
  fences = ProtoField.bool("opennlb.policy.fences", "Fences"),
  newer = ProtoField.bytes("opennlb.policy.newer", "Field of a newer version"),
}
policy.fields = p
local policy_damaged = ProtoExpert.new("opennlb.policy.damaged", "Damaged frame", expert.group.MALFORMED,
                                       expert.severity.ERROR)
policy.experts = {policy_damaged}

local plain_fields = {p.host, p.bridge, p.port, p.vm, p.adapter, p.mac, nil, p.cluster}
local SETTING, STEERING, FENCES = 7, 9, 10

local function add_setting(tree, value)
  if value:len() < 4 then return false end
  add_rows(tree, value, 0, {{p.spoofing, 1}, {p.host_id, 1}})
  tree:add(p.audit, value(2, 1))
  tree:add(p.require_stopped, value(2, 1))
  return true
end

-- One field at `at`; returns the offset behind it, or nil when it does not end within the frame.
local function add_policy_field(tree, tvb, at, total)
  if total - at < FIELD_HEADER_BYTES then return nil end
  local kind, length = tvb(at, 2):uint(), tvb(at + 2, 2):uint()
  local first = at + FIELD_HEADER_BYTES
  if length > total - first then return nil end
  if kind == FENCES then tree:add(p.fences, tvb(at, FIELD_HEADER_BYTES), true) end
  if length > 0 and kind ~= FENCES then
    local value = tvb(first, length)
    if kind == SETTING then
      if not add_setting(tree, value) then return nil end
    elseif kind == STEERING then
      if length < 4 then return nil end
      tree:add(p.steering, value(0, 4))
    else
      tree:add(plain_fields[kind] or p.newer, value)
    end
  end
  return first + length
end

local function dissect_policy(tvb, pinfo, root)
  pinfo.cols.protocol = "OpenNLB policy"
  local tree = root:add(policy, tvb())
  local at = add_rows(tree, tvb, 0, {{p.magic, 4}, {p.major, 1}, {p.minor, 1}, {p.length, 2}})
  local total = tvb(6, 2):uint()
  if total > tvb:len() or total < POLICY_HEADER_BYTES then
    tree:add_proto_expert_info(policy_damaged, "stated length and real length differ")
    return tvb:len()
  end
  while at and at < total do at = add_policy_field(tree, tvb, at, total) end
  if not at then tree:add_proto_expert_info(policy_damaged, "a field ends outside the frame") end
  return total
end

-- Announcements of buckets.
local steering = Proto("opennlb_steering", "OpenNLB Steering Announcement")
local STEERING_HEADER_BYTES, ROW_BYTES = 16, 2 + BITMAP_BYTES
local CONTENT = 2

local s = {
  magic = ProtoField.string("opennlb.steering.magic", "Magic"),
  major = ProtoField.uint8("opennlb.steering.version.major", "Version, major"),
  minor = ProtoField.uint8("opennlb.steering.version.minor", "Version, minor"),
  length = ProtoField.uint16("opennlb.steering.length", "Total length"),
  generation = ProtoField.uint32("opennlb.steering.generation", "Generation", base.HEX),
  in_transition = ProtoField.bool("opennlb.steering.in_transition", "In transition", 8, nil, 0x01),
  content = ProtoField.bool("opennlb.steering.content", "Content", 8, nil, CONTENT),
  part = ProtoField.uint8("opennlb.steering.part", "Part (from 0)"),
  parts = ProtoField.uint8("opennlb.steering.parts", "Parts"),
  seed = ProtoField.bytes("opennlb.steering.seed", "Seed"),
  ipv4 = ProtoField.ipv4("opennlb.steering.address", "Address"),
  ipv6 = ProtoField.ipv6("opennlb.steering.addressv6", "Address"),
  slot = ProtoField.uint8("opennlb.steering.slot", "Slot"),
  affinity = ProtoField.uint8("opennlb.steering.affinity", "Affinity", base.DEC,
                              {[0] = "none", "single", "network"}),
  ports = ProtoField.uint8("opennlb.steering.ports.slot", "Ports of slot"),
  vip = ProtoField.uint8("opennlb.steering.ports.address", "Number of the address (0: all)"),
  protocols = ProtoField.uint8("opennlb.steering.ports.protocols", "Protocols", base.DEC,
                               {"TCP", "UDP", "TCP and UDP"}),
  first = ProtoField.uint16("opennlb.steering.ports.first", "First port"),
  last = ProtoField.uint16("opennlb.steering.ports.last", "Last port"),
  row = ProtoField.uint8("opennlb.steering.row", "Buckets of slot"),
  buckets = ProtoField.bytes("opennlb.steering.bitmap", "Buckets (bitmap)"),
  bucket_count = ProtoField.uint16("opennlb.steering.bucket_count", "Buckets"),
  newer = ProtoField.bytes("opennlb.steering.newer", "Field of a newer version"),
}
steering.fields = s
local steering_damaged = ProtoExpert.new("opennlb.steering.damaged", "Damaged frame", expert.group.MALFORMED,
                                         expert.severity.ERROR)
steering.experts = {steering_damaged}

local function add_steering_row(tree, value)
  local row = tree:add(s.row, value(0, 1))
  local bitmap = value(2, BITMAP_BYTES)
  row:add(s.bucket_count, bitmap, count_bits(bitmap))
  row:add(s.buckets, bitmap)
end

local function add_address(tree, value)
  local is_ipv4 = value(0, 12):bytes():tohex() == "00000000000000000000FFFF"
  if is_ipv4 then tree:add(s.ipv4, value(12, 4)) else tree:add(s.ipv6, value(0, 16)) end
end

-- By type: how long a value is at least, and what shows it.
local steering_fields = {
  {16, function(tree, value) tree:add(s.seed, value(0, 16)) end},
  {16, add_address},
  {2, function(tree, value) tree:add(s.slot, value(0, 1)):add(s.affinity, value(1, 1)) end},
  {8, function(tree, value)
    add_rows(tree:add(s.ports, value(0, 1)), value, 1,
             {{s.vip, 1}, {s.protocols, 1}, {nil, 1}, {s.first, 2}, {s.last, 2}})
  end},
  {ROW_BYTES, add_steering_row},
}

local function add_steering_field(tree, tvb, at, total)
  if total - at < FIELD_HEADER_BYTES then return nil end
  local known, length = steering_fields[tvb(at, 2):uint()], tvb(at + 2, 2):uint()
  local first = at + FIELD_HEADER_BYTES
  if length > total - first or (known and length < known[1]) then return nil end
  if known then
    known[2](tree, tvb(first, length))
  elseif length > 0 then
    tree:add(s.newer, tvb(first, length))
  end
  return first + length
end

local function dissect_steering(tvb, pinfo, root)
  pinfo.cols.protocol = "OpenNLB steering"
  local tree = root:add(steering, tvb())
  if tvb:len() < STEERING_HEADER_BYTES then
    tree:add_proto_expert_info(steering_damaged, "shorter than its header")
    return tvb:len()
  end
  add_rows(tree, tvb, 0, {{s.magic, 4}, {s.major, 1}, {s.minor, 1}, {s.length, 2}, {s.generation, 4}})
  tree:add(s.in_transition, tvb(12, 1))
  tree:add(s.content, tvb(12, 1))
  add_rows(tree, tvb, 13, {{s.part, 1}, {s.parts, 1}})
  local total, at = tvb(6, 2):uint(), STEERING_HEADER_BYTES
  if total > tvb:len() or total < STEERING_HEADER_BYTES then
    tree:add_proto_expert_info(steering_damaged, "stated length and real length differ")
    return tvb:len()
  end
  if tvb(12, 1):uint() ~= CONTENT then return total end
  while at and at < total do at = add_steering_field(tree, tvb, at, total) end
  if not at then tree:add_proto_expert_info(steering_damaged, "a field is cut") end
  return total
end

-- Presences of members, and notices of fences.
local fence = Proto("opennlb_fence", "OpenNLB Presence or Fence Notice")
local NOTICE_BYTES, PRESENCE_BYTES = 28, 36

local n = {
  magic = ProtoField.string("opennlb.fence.magic", "Magic"),
  major = ProtoField.uint8("opennlb.fence.version.major", "Version, major"),
  minor = ProtoField.uint8("opennlb.fence.version.minor", "Version, minor"),
  length = ProtoField.uint16("opennlb.fence.length", "Total length"),
  host = ProtoField.uint8("opennlb.fence.host", "Host id"),
  incarnation = ProtoField.uint64("opennlb.fence.incarnation", "Incarnation", base.HEX),
  nonce = ProtoField.uint64("opennlb.fence.nonce", "Nonce", base.HEX),
  period = ProtoField.uint32("opennlb.fence.period_ms", "Period (ms)"),
  silence = ProtoField.uint32("opennlb.fence.silence_ms", "Silence limit (ms)"),
  newer = ProtoField.bytes("opennlb.fence.appended", "Appended by a newer minor version"),
}
fence.fields = n
local fence_damaged = ProtoExpert.new("opennlb.fence.damaged", "Damaged frame", expert.group.MALFORMED,
                                      expert.severity.ERROR)
fence.experts = {fence_damaged}

local function dissect_fence(tvb, pinfo, root, needed)
  pinfo.cols.protocol = needed == NOTICE_BYTES and "OpenNLB fence" or "OpenNLB presence"
  local tree = root:add(fence, tvb())
  local total = tvb(6, 2):uint()
  if total > tvb:len() or total < needed then
    tree:add_proto_expert_info(fence_damaged, "stated length and real length differ")
    return tvb:len()
  end
  local at = add_rows(tree, tvb, 0, {{n.magic, 4}, {n.major, 1}, {n.minor, 1}, {n.length, 2}, {n.host, 1},
                                     {nil, 3}, {n.incarnation, 8}, {n.nonce, 8}})
  if needed == PRESENCE_BYTES then at = add_rows(tree, tvb, at, {{n.period, 4}, {n.silence, 4}}) end
  if at < total then tree:add(n.newer, tvb(at, total - at)) end
  return total
end

-- One EtherType; the magic tells what it is.
local by_magic = {
  ONLP = dissect_policy,
  ONLO = dissect_steering,
  ONLM = function(tvb, pinfo, root) return dissect_fence(tvb, pinfo, root, PRESENCE_BYTES) end,
  ONLF = function(tvb, pinfo, root) return dissect_fence(tvb, pinfo, root, NOTICE_BYTES) end,
}

function policy.dissector(tvb, pinfo, root)
  local dissect = tvb:len() >= POLICY_HEADER_BYTES and by_magic[tvb(0, 4):string()]
  return dissect and dissect(tvb, pinfo, root) or 0
end

DissectorTable.get("ethertype"):add(0x88b6, policy)
