/* SPDX-License-Identifier: Apache-2.0
 * Who may accept new flows of one bucket: view, two phases, lease and hold of src/core/host.cc, host_view.cc,
 * host_frames.cc and membership.cc, for three hosts under crash, loss and pause. What is abstracted, what is
 * proven and what is not: docs/protocol/model.md. Names are those of the code.
 *
 * Time is ticks of one heartbeat period. A frame is received or lost in the instant in which it is sent; the
 * receiver judges it at any later moment of its own (evaluate), at least once a tick while it runs.
 *
 * Switches that break the protocol, each to be found out (model/check.py):
 *   NO_RELEASE      what is lost is not released
 *   EARLY_ACQUIRE   acquires before all have released
 *   NO_LEASE        the filter ignores the lease
 *   LONG_LEASE      the lease outlives the silence after which a host is evicted
 *   NO_PROMISE      an accuser goes on echoing whom it accuses
 *   NO_YIELD        a view of one goes on serving beside a better one in earshot
 *   NO_HOLD         a host forgets the connections of buckets it has released (with HOLD)
 *   NO_CHECK        a new owner does not wait for held lists (with HOLD)
 * and such as the search has found in the protocol as it was (docs/protocol/model.md, "Found"):
 *   NO_OUTSIDERS    acquires beside a host of another view, if it never shared one with it
 *   OLD_ECHO        an echo by who states a later view keeps a lease alive
 *   REVIVES         what is owned outlives its lease into the next view */

#ifndef D
#define D 3 /* silence after which a host is accused, in the fastest clock; tolerance 3 is the smallest allowed */
#endif
#ifdef LONG_LEASE
#define L (D + 1)
#else
#define L D /* of the slowest clock: not one tick of margin left */
#endif
#ifndef VIEWS
#define VIEWS 4 /* highest number of a view; what would go beyond is not followed */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef PAUSES
#define PAUSES 0
#endif
#ifndef FREEZES
#define FREEZES 0
#endif
#ifndef LOSSES
#define LOSSES 1 /* ticks, or turns, in which frames may be lost */
#endif

#define RUN 0
#define PAUSED 1
#define FROZEN 2
#define DEAD 3
#define NONE 0
#define SEEN 1
#define RELEASED 2
#define ACQUIRED 3
#define QUEUED 15 /* sil[]: received while the daemon did not run, to be read when it does */
#define APART (D - 1) /* gap[]: D since an exchange; + 1, + 2: again one, two, so not yet for two periods */

#define AT(i, j) ((i) * 3 + (j))
#define BIT(i) (1 << (i))
#define IN(set, i) (((set) >> (i)) & 1)
#define SIZE(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1))
#define LOWEST(set) (((set) & 1) -> 0 : (((set) & 2) -> 1 : 2))
#define MIN(a, b) ((a) < (b) -> (a) : (b))
/* the bucket's owner in a view: in every change of members it may move, also between two that stay */
#ifdef OTHER_TABLE
#define OWNER(set) ((set) == 7 -> 1 : ((set) == 3 -> 0 : ((set) == 5 -> 2 : ((set) == 6 -> 2 : LOWEST(set)))))
#else
#define OWNER(set) (IN(set, 2) -> 2 : (IN(set, 1) -> 1 : 0))
#endif
#define HEARD(i, j) (known[AT(i, j)] && sil[AT(i, j)] < D)
#define MUTUAL(i, j) (HEARD(i, j) && p_lists_me[AT(i, j)])
#define GAP(i, j) gap[((i) < (j) -> AT(i, j) : AT(j, i))]
#define OTHER(i, j) (3 - (i) - (j))

/* of each host */
byte st[3], vn[3], vm[3], ph[3], lease[3], lis[3], stall[3], excuse[3];
bool own[3], done[3], alone_lease[3];
/* of each ordered pair (self, peer) */
bool known[9], was_mutual[9];
byte sil[9];   /* ticks of the own clock since the peer was heard */
byte sent[9];  /* ticks of the own clock since the newest own frame that the peer has received was sent */
byte echo[9];  /* ... of the newest own frame that the peer has echoed; L = too old to matter */
byte acc[9];   /* the peer is accused: 1 in an earlier view, 2 in the present one */
byte left[9];  /* left behind: its lease may last for so long */
/* what the peer's newest frame said */
byte p_vn[9], p_vm[9], p_ph[9];
bool p_lists_me[9], p_accuses_me[9], p_lists_third[9], p_accuses_third[9];
byte p_third_vn[9], p_third_ph[9];
/* of each pair, for the property: ticks since both heard each other */
byte gap[9];
byte crashes = CRASHES, pauses = PAUSES, freezes = FREEZES, losses = LOSSES;

#ifdef HOLD
bool live_known[3], listed[3];      /* the scan of this view is done; it found the bucket's connection */
bool p_known[9], p_listed[9];       /* the same as the peer's frame said it */
bool ghost[9];                      /* the peer vanished without handing over */
byte conn = 3;                      /* the host that has the one connection; 3 = there is none */
#endif

/* ---- the property */
#ifdef NO_LEASE
#define ACCEPTS(i) (own[i])
#else
#define ACCEPTS(i) (own[i] && lease[i] > 0)
#endif
/* Apart: no exchange for D, or not yet again for two periods, and one of them serves alone. */
#define EXEMPT(i, j) (excuse[i] > 0 || excuse[j] > 0 || (gap[AT(i, j)] >= APART && (alone_lease[i] || alone_lease[j])))
#define ONE_OWNER(i, j) (!(ACCEPTS(i) && ACCEPTS(j)) || EXEMPT(i, j))

inline check() {
#if WITNESS == 1 /* the model moves: all three share a later view, and its owner accepts */
  assert(!(vn[2] > 1 && vm[2] == 7 && ph[2] == ACQUIRED && ACCEPTS(2)))
#elif WITNESS == 2 /* a dead host's bucket is taken */
  assert(!(st[2] == DEAD && ACCEPTS(1)))
#else
  assert(ONE_OWNER(0, 1));
  assert(ONE_OWNER(0, 2));
  assert(ONE_OWNER(1, 2))
#endif
#ifdef HOLD
  ;
  if
  :: conn < 3 ->
     a = 0;
     do
     :: a < 3 ->
        if
        :: a == conn -> /* keep-flow: its host goes on accepting its segments */
           assert(own[a] || !live_known[a] || listed[a])
        :: a != conn && own[a] && ACCEPTS(a) && excuse[a] == 0 && excuse[conn] == 0 && GAP(a, conn) < APART ->
           checks(a);
           assert(b) /* no-foreign-reset: strays are dropped silently */
        :: else
        fi;
        a++
     :: else -> break
     od;
     a = 0; b = 0
  :: else
  fi
#endif
}

#ifdef HOLD
/* b := owned_checked: Host::checks_all() or Host::held_by_others() */
inline checks(i) {
  b = (ph[i] != ACQUIRED);
  c = 0;
  do
  :: c < 3 ->
     if
     :: c != i && IN(vm[i], c) ->
        b = b || !(p_vn[AT(i, c)] == vn[i] && p_known[AT(i, c)]) || p_listed[AT(i, c)]
     :: c != i && !IN(vm[i], c) -> b = b || ghost[AT(i, c)] || HEARD(i, c)
     :: else
     fi;
     c++
  :: else -> break
  od;
  c = 0;
#ifdef NO_CHECK
  b = 0
#endif
}
#endif

/* ---- Host::evaluate(), parts in its order. Scratch: j, k, x, y, base, want, num, flag */
inline go_alone(i) {
  vm[i] = BIT(i);
  ph[i] = NONE;
  own[i] = 0;
  lease[i] = 0;
  alone_lease[i] = 0
#ifdef HOLD
  ; live_known[i] = 0; listed[i] = 0
#endif
}

inline start_view(i, number, set) {
  j = 0;
  do
  :: j < 3 ->
     if
     :: j != i && IN(set, j) -> left[AT(i, j)] = 0; acc[AT(i, j)] = 0
     :: j != i && !IN(set, j) ->
        acc[AT(i, j)] = (acc[AT(i, j)] -> 1 : 0);
#ifdef NO_OUTSIDERS
        left[AT(i, j)] = (IN(vm[i], j) -> D : left[AT(i, j)])
#else
        left[AT(i, j)] = (IN(vm[i], j) || (HEARD(i, j) && p_ph[AT(i, j)] != NONE) -> D : left[AT(i, j)])
#endif
#ifdef HOLD
        ; ghost[AT(i, j)] = ghost[AT(i, j)] || (IN(vm[i], j) && p_ph[AT(i, j)] != NONE)
#endif
     :: else
     fi;
     j++
  :: else -> break
  od;
#ifndef REVIVES
  own[i] = own[i] && lease[i] > 0;
#endif
  vn[i] = number;
  vm[i] = set;
  ph[i] = SEEN;
#ifdef HOLD
  live_known[i] = 0; listed[i] = 0;
#endif
  say = 1
}

/* flag := nobody who is in a view is heard, and this host has listened for D (Host::may_serve_alone) */
inline may_serve_alone(i) {
  flag = lis[i] >= D;
  j = 0;
  do
  :: j < 3 ->
     if
     :: j != i && HEARD(i, j) && p_ph[AT(i, j)] != NONE -> flag = 0
     :: else
     fi;
     j++
  :: else -> break
  od
}

/* flag := a better view in earshot (Host::yields_to_a_better_view) */
inline yields(i) {
  flag = 0;
  j = 0;
  do
  :: j < 3 ->
     if
     :: j != i && !IN(vm[i], j) && MUTUAL(i, j) && p_ph[AT(i, j)] != NONE && !IN(p_vm[AT(i, j)], i) &&
        (SIZE(p_vm[AT(i, j)]) > SIZE(vm[i]) ||
         (SIZE(p_vm[AT(i, j)]) == SIZE(vm[i]) && LOWEST(p_vm[AT(i, j)]) < LOWEST(vm[i]))) -> flag = 1
     :: else
     fi;
     j++
  :: else -> break
  od
#ifdef NO_YIELD
  ; flag = 0
#endif
}

/* flag := shut_out_by_a_peer */
inline shut_out(i) {
  flag = 0;
  j = 0;
  do
  :: j < 3 ->
     if
     :: j != i && SIZE(vm[i]) >= 2 && IN(vm[i], j) && HEARD(i, j) && p_ph[AT(i, j)] != NONE &&
        p_vn[AT(i, j)] >= vn[i] && !IN(p_vm[AT(i, j)], i) -> flag = 1
     :: else
     fi;
     j++
  :: else -> break
  od
}

/* want := wanted_members() */
inline wanted(i) {
  base = vm[i] | BIT(i);
  j = 0;
  do /* best_base */
  :: j < 3 ->
     if
     :: j != i && MUTUAL(i, j) && p_vm[AT(i, j)] != 0 && !(IN(p_vm[AT(i, j)], i) && p_vn[AT(i, j)] < vn[i]) &&
        (SIZE(p_vm[AT(i, j)]) > SIZE(base) ||
         (SIZE(p_vm[AT(i, j)]) == SIZE(base) && LOWEST(p_vm[AT(i, j)]) < LOWEST(base))) -> base = p_vm[AT(i, j)]
     :: else
     fi;
     j++
  :: else -> break
  od;
  want = 0;
  j = 0;
  do /* who stays: x accusers, flag = somebody testifies */
  :: j < 3 ->
     x = 0; flag = 0;
     k = 0;
     do
     :: k < 3 ->
        if
        :: IN(base, k) && k != j && k == i -> x = x + (acc[AT(i, j)] != 0)
        :: IN(base, k) && k != j && k != i && HEARD(i, k) && j == i -> x = x + p_accuses_me[AT(i, k)];
           flag = flag || (acc[AT(i, k)] == 0 && p_lists_me[AT(i, k)] && !p_accuses_me[AT(i, k)])
        :: IN(base, k) && k != j && k != i && HEARD(i, k) && j != i -> x = x + p_accuses_third[AT(i, k)];
           flag = flag || (acc[AT(i, k)] == 0 && p_lists_third[AT(i, k)] && !p_accuses_third[AT(i, k)])
        :: else
        fi;
        k++
     :: else -> break
     od;
     if
     :: IN(base, j) && (j == i || known[AT(i, j)]) && !(x >= 2 || (x == 1 && !flag && j != i)) -> want = want | BIT(j)
     :: else
     fi;
     j++
  :: else -> break
  od;
  j = 0;
  do /* who comes, in ascending order: hears and is heard by all that are in */
  :: j < 3 ->
     if
     :: !IN(want, j) && (j == i || MUTUAL(i, j)) ->
        flag = 1;
        k = 0;
        do
        :: k < 3 ->
           if
           :: k != j && IN(want, k) && k == i -> flag = flag && was_mutual[AT(i, j)]
           :: k != j && IN(want, k) && j == i -> flag = flag && MUTUAL(i, k) && was_mutual[AT(i, k)]
           :: k != j && IN(want, k) && k != i && j != i ->
              flag = flag && HEARD(i, j) && HEARD(i, k) && p_lists_third[AT(i, j)] && p_lists_third[AT(i, k)]
           :: else
           fi;
           k++
        :: else -> break
        od;
        want = (flag -> want | BIT(j) : want)
     :: else
     fi;
     j++
  :: else -> break
  od
}

inline settle_view(i) {
  shut_out(i);
  if
  :: flag -> if :: ph[i] != NONE -> say = 1 :: else fi; go_alone(i)
  :: else ->
     yields(i);
     if :: flag -> own[i] = 0 :: else fi;
     wanted(i);
     may_serve_alone(i);
     if
     :: !IN(want, i) -> if :: ph[i] != NONE -> say = 1 :: else fi; go_alone(i)
     :: IN(want, i) && want == BIT(i) && SIZE(vm[i]) == 1 && ph[i] == NONE && !flag -> skip /* listens */
     :: else ->
        num = 0; x = 0; y = vn[i]; /* stated, readmits, highest number seen */
        j = 0;
        do
        :: j < 3 ->
           if
           :: j != i ->
              if
              :: IN(want, j) && HEARD(i, j) && p_ph[AT(i, j)] != NONE && p_vm[AT(i, j)] == want && p_vn[AT(i, j)] > num ->
                 num = p_vn[AT(i, j)]
              :: else
              fi;
              x = x | (IN(want, j) && acc[AT(i, j)] == 2 && MUTUAL(i, j));
              y = (known[AT(i, j)] && p_vn[AT(i, j)] > y -> p_vn[AT(i, j)] : y)
           :: else
           fi;
           j++
        :: else -> break
        od;
        if
        :: want == vm[i] && ph[i] != NONE && !x ->
           if :: num > vn[i] -> start_view(i, num, want) :: else fi
        :: else ->
           if
           :: num > vn[i] -> start_view(i, num, want)
           :: num <= vn[i] && y < VIEWS -> start_view(i, y + 1, want)
           :: else -> over = 1
           fi
        fi
     fi
  fi
}

/* flag := all_members_at(phase), by the member's own frame or by a neighbour's report */
inline all_members_at(i, phase) {
  flag = 1;
  j = 0;
  do
  :: j < 3 ->
     if
     :: j != i && IN(vm[i], j) ->
        k = OTHER(i, j);
        flag = flag &&
               ((HEARD(i, j) && p_vn[AT(i, j)] == vn[i] && p_vm[AT(i, j)] == vm[i] && p_ph[AT(i, j)] >= phase) ||
                (!HEARD(i, j) && IN(vm[i], k) && HEARD(i, k) && p_vn[AT(i, k)] == vn[i] && p_vm[AT(i, k)] == vm[i] &&
                 p_lists_third[AT(i, k)] && p_third_vn[AT(i, k)] == vn[i] && p_third_ph[AT(i, k)] >= phase))
     :: else
     fi;
     j++
  :: else -> break
  od
}

inline advance_phase(i) {
  if
  :: ph[i] == SEEN ->
     all_members_at(i, SEEN);
     if
     :: flag ->
        ph[i] = RELEASED;
        say = 1;
#ifndef NO_RELEASE
        own[i] = own[i] && OWNER(vm[i]) == i
#else
        skip
#endif
#ifdef HOLD
        ; live_known[i] = 0
#endif
     :: else
     fi
  :: else
  fi;
  if
  :: ph[i] == RELEASED ->
     all_members_at(i, RELEASED);
#ifdef EARLY_ACQUIRE
     flag = 1;
#endif
     x = flag;
     if
     :: x && SIZE(vm[i]) == 1 -> may_serve_alone(i); x = flag
     :: else
     fi;
     yields(i);
     x = x && !flag;
     j = 0;
     do /* somebody_left_behind_owns */
     :: j < 3 ->
        x = x && !(j != i && !IN(vm[i], j) && HEARD(i, j) && p_ph[AT(i, j)] != NONE && left[AT(i, j)] > 0);
        j++
     :: else -> break
     od;
     if
     :: x ->
        ph[i] = ACQUIRED;
        say = 1;
#ifdef NO_RELEASE
        own[i] = own[i] || OWNER(vm[i]) == i
#else
        own[i] = (OWNER(vm[i]) == i)
#endif
     :: else
     fi
  :: else
  fi
}

inline renew_lease(i) {
  if
  :: !own[i] -> lease[i] = 0; alone_lease[i] = 0
  :: else ->
     may_serve_alone(i);
     j = (i + 1) % 3; k = (i + 2) % 3;
     x = L; /* the age of s */
     if
     :: SIZE(vm[i]) == 1 -> x = (flag -> 0 : L)
     :: SIZE(vm[i]) == 2 -> x = (IN(vm[i], j) -> echo[AT(i, j)] : echo[AT(i, k)])
     :: SIZE(vm[i]) == 3 -> x = MIN(echo[AT(i, j)], echo[AT(i, k)])
     fi;
     if
     :: x < L && L - x >= lease[i] -> lease[i] = L - x; alone_lease[i] = (SIZE(vm[i]) == 1)
     :: else
     fi
  fi
}

inline accuse(i) {
  j = 0;
  do
  :: j < 3 ->
     if
     :: j != i && IN(vm[i], j) && acc[AT(i, j)] == 0 && sil[AT(i, j)] >= D -> acc[AT(i, j)] = 2; say = 1
     :: else
     fi;
     if /* Peer::mutual_since */
     :: j != i && !MUTUAL(i, j) -> was_mutual[AT(i, j)] = 0
     :: else
     fi;
     j++
  :: else -> break
  od
}

inline evaluate(i) {
  say = 0; over = 0;
  accuse(i);
  settle_view(i);
  if
  :: !over -> advance_phase(i); renew_lease(i)
  :: else
  fi;
#ifdef HOLD
  tend(i);
#endif
  j = 0; k = 0; x = 0; y = 0; num = 0; base = 0; want = 0; flag = 0
}

#ifdef HOLD
/* A ghost ends when its kernel is gone (here: never, a daemon dies alone) or it is back with its list. */
inline tend(i) {
  j = 0;
  do
  :: j < 3 ->
     if
     :: j != i && ghost[AT(i, j)] && IN(vm[i], j) && ph[i] == ACQUIRED && p_vn[AT(i, j)] == vn[i] && p_known[AT(i, j)] ->
        ghost[AT(i, j)] = 0
     :: else
     fi;
     j++
  :: else -> break
  od
}
#endif

/* ---- a frame of i reaches j: take_echo() and the picture of i that j keeps */
inline receive(i, j, t) {
  known[AT(j, i)] = 1;
  sil[AT(j, i)] = (st[j] == RUN -> 0 : QUEUED);
  sent[AT(i, j)] = 0;
  p_vn[AT(j, i)] = vn[i]; p_vm[AT(j, i)] = vm[i]; p_ph[AT(j, i)] = ph[i];
  p_accuses_me[AT(j, i)] = (IN(vm[i], j) && acc[AT(i, j)] != 0);
  p_lists_me[AT(j, i)] = HEARD(i, j) || p_accuses_me[AT(j, i)];
  p_accuses_third[AT(j, i)] = (IN(vm[i], t) && acc[AT(i, t)] != 0);
  p_lists_third[AT(j, i)] = HEARD(i, t) || p_accuses_third[AT(j, i)];
  p_third_vn[AT(j, i)] = (p_lists_third[AT(j, i)] -> p_vn[AT(i, t)] : 0);
  p_third_ph[AT(j, i)] = (p_lists_third[AT(j, i)] -> p_ph[AT(i, t)] : 0);
#ifdef HOLD
  p_known[AT(j, i)] = live_known[i]; p_listed[AT(j, i)] = listed[i];
#endif
  if
#ifdef NO_PROMISE
  :: HEARD(i, j) || known[AT(i, j)] ->
     echo[AT(j, i)] = MIN(echo[AT(j, i)], sent[AT(j, i)])
#elif defined(OLD_ECHO)
  :: HEARD(i, j) && acc[AT(i, j)] == 0 && !(ph[i] != NONE && !IN(vm[i], j) && vn[i] >= vn[j]) ->
     echo[AT(j, i)] = MIN(echo[AT(j, i)], sent[AT(j, i)])
#else /* whoever has moved on is followed first */
  :: HEARD(i, j) && acc[AT(i, j)] == 0 &&
     !(ph[i] != NONE && (vn[i] > vn[j] || (vn[i] == vn[j] && !IN(vm[i], j)))) ->
     echo[AT(j, i)] = MIN(echo[AT(j, i)], sent[AT(j, i)])
#endif
  :: else
  fi
}

/* ---- time */
#define GROW(v, to) v = ((v) < (to) -> (v) + 1 : (v))
#define FALL(v) v = ((v) > 0 -> (v) - 1 : 0)

inline tick() {
  a = 0;
  do
  :: a < 3 ->
     b = 0;
     do
     :: b < 3 ->
        if
        :: a < b -> /* the property's own: an exchange between two that run, or not */
           c = AT(a, b);
           if
           :: sil[AT(a, b)] == 0 && sil[AT(b, a)] == 0 && st[a] == RUN && st[b] == RUN ->
              gap[c] = (gap[c] >= APART && gap[c] < APART + 2 -> gap[c] + 1 : 0)
           :: else -> gap[c] = (gap[c] >= APART -> APART : gap[c] + 1)
           fi
        :: else
        fi;
        b++
     :: else -> break
     od;
     a++
  :: else -> break
  od;
  a = 0;
  do
  :: a < 3 ->
     if
     :: st[a] != FROZEN ->
        FALL(lease[a]); FALL(excuse[a]);
        alone_lease[a] = alone_lease[a] && lease[a] > 0;
        if :: st[a] == PAUSED -> GROW(stall[a], D + 1) :: st[a] == RUN -> GROW(lis[a], D) :: else fi;
        b = 0;
        do
        :: b < 3 ->
           if
           :: a != b ->
              if :: st[a] == RUN && known[AT(a, b)] -> GROW(sil[AT(a, b)], D);
                    was_mutual[AT(a, b)] = p_lists_me[AT(a, b)] && sil[AT(a, b)] < D
                 :: else fi;
              if :: st[a] != DEAD -> GROW(sent[AT(a, b)], L); GROW(echo[AT(a, b)], L); FALL(left[AT(a, b)])
                 :: else fi
           :: else
           fi;
           b++
        :: else -> break
        od
     :: else
     fi;
     done[a] = 0;
     a++
  :: else -> break
  od;
  a = 0; b = 0; c = 0
}

/* The daemon's turn comes again: frames in the queue are read first; Host::notice_standstill(), on_tick(). */
inline wake(i) {
  j = 0;
  do
  :: j < 3 ->
     if
     :: j != i && sil[AT(i, j)] == QUEUED -> sil[AT(i, j)] = 0
     :: j != i && sil[AT(i, j)] < D && st[i] == PAUSED ->
        sil[AT(i, j)] = (stall[i] > D || sil[AT(i, j)] + stall[i] < D -> (stall[i] > D -> 0 : sil[AT(i, j)] + stall[i]) : D)
     :: else
     fi;
     if /* mutual for a period is what it can be only after a turn of its own */
     :: j != i && stall[i] > 0 -> was_mutual[AT(i, j)] = 0
     :: else
     fi;
     j++
  :: else -> break
  od;
#ifndef NO_STANDSTILL
  if
  :: stall[i] >= D && ph[i] != NONE -> lis[i] = 0; go_alone(i)
  :: else
  fi;
#endif
  stall[i] = 0;
  st[i] = RUN;
  j = 0
}

inline forget(i) { /* a dead daemon's memory is nobody's; so states differ no more in it */
  j = 0;
  do
  :: j < 3 ->
     if
     :: j != i -> known[AT(i, j)] = 0; sil[AT(i, j)] = 0; sent[AT(i, j)] = 0; echo[AT(i, j)] = 0; acc[AT(i, j)] = 0;
        left[AT(i, j)] = 0; p_vn[AT(i, j)] = 0; p_vm[AT(i, j)] = 0; p_ph[AT(i, j)] = 0; p_lists_me[AT(i, j)] = 0;
        p_accuses_me[AT(i, j)] = 0; p_lists_third[AT(i, j)] = 0; p_accuses_third[AT(i, j)] = 0;
        p_third_vn[AT(i, j)] = 0; p_third_ph[AT(i, j)] = 0; was_mutual[AT(i, j)] = 0
     :: else
     fi;
     j++
  :: else -> break
  od;
  vn[i] = 0; vm[i] = 0; ph[i] = NONE; lis[i] = 0; done[i] = 0; j = 0
}

/* ---- the beginning: a converged view of all, or of two while the third is about to join */
inline converged(set) {
  a = 0;
  do
  :: a < 3 ->
     vn[a] = (IN(set, a) -> 1 : 0);
     vm[a] = (IN(set, a) -> set : BIT(a));
     ph[a] = (IN(set, a) -> ACQUIRED : NONE);
     own[a] = IN(set, a) && OWNER(set) == a;
     lease[a] = (own[a] -> L : 0);
     lis[a] = (IN(set, a) -> D : 0);
#ifdef HOLD
     live_known[a] = IN(set, a);
#endif
     b = 0;
     do
     :: b < 3 ->
        if
        :: a != b && IN(set, a) && IN(set, b) ->
           known[AT(a, b)] = 1; was_mutual[AT(a, b)] = 1; p_lists_me[AT(a, b)] = 1;
           p_vn[AT(a, b)] = 1; p_vm[AT(a, b)] = set; p_ph[AT(a, b)] = ACQUIRED;
#ifdef HOLD
           p_known[AT(a, b)] = 1;
#endif
           if
           :: set == 7 -> p_lists_third[AT(a, b)] = 1; p_third_vn[AT(a, b)] = 1; p_third_ph[AT(a, b)] = ACQUIRED
           :: else
           fi
        :: a != b && !(IN(set, a) && IN(set, b)) ->
           sil[AT(a, b)] = D; sent[AT(a, b)] = L; echo[AT(a, b)] = L; gap[AT(a, b)] = APART
        :: else
        fi;
        b++
     :: else -> break
     od;
     a++
  :: else -> break
  od;
  a = 0; b = 0
}

byte j, k, x, y, base, want, num, a, b, c, r, flag;
bool say, over;

/* For those who read a counterexample: spin -t. */
inline tell(i) {
  printf("turn %d: view %d of %d phase %d owns %d lease %d (alone %d) accuses %d%d%d\n", i, vn[i], vm[i], ph[i], own[i],
         lease[i], alone_lease[i], acc[AT(i, 0)], acc[AT(i, 1)], acc[AT(i, 2)])
}

/* A turn: at a tick the host evaluates and speaks; between ticks it speaks when something has changed. */
inline turn(i) {
  d_step { evaluate(i); tell(i); check(); say = say || !done[i]; done[i] = 1 };
  if
  :: over -> goto bound
  :: !over && say ->
     r = 3;
     if
     :: losses > 0 -> losses--; r = 0
     :: losses > 0 -> losses--; r = 1
     :: losses > 0 -> losses--; r = 2
     :: r = 3
     fi;
     d_step {
       printf("  host %d is heard by %d\n", i, r);
       say = 0;
       if :: (r & 1) && st[(i + 1) % 3] != DEAD -> receive(i, ((i + 1) % 3), ((i + 2) % 3)) :: else fi;
       if :: (r & 2) && st[(i + 2) % 3] != DEAD -> receive(i, ((i + 2) % 3), ((i + 1) % 3)) :: else fi;
       r = 0
     }
  :: !over && !say
  fi
}

#define MAY_TICK ((done[0] || st[0] != RUN) && (done[1] || st[1] != RUN) && (done[2] || st[2] != RUN))

init {
  atomic {
    if
    :: d_step { converged(7) }
    :: d_step { converged(3) }
    :: d_step { converged(6) }
    fi
  }
  do
  :: atomic { st[0] == RUN -> turn(0) }
  :: atomic { st[1] == RUN -> turn(1) }
  :: atomic { st[2] == RUN -> turn(2) }
  :: d_step { MAY_TICK -> tick(); printf("-- tick; gaps %d %d %d\n", gap[1], gap[2], gap[5]); check() }
#define FAULTS(i)                                                                                                    \
  :: d_step { crashes > 0 && st[i] == RUN -> crashes--; printf("host %d dies\n", i); st[i] = DEAD; forget(i); check() }                           \
  :: d_step { pauses > 0 && st[i] == RUN -> pauses--; printf("host %d is paused\n", i); st[i] = PAUSED; done[i] = 0 }                                  \
  :: d_step { freezes > 0 && st[i] == RUN -> freezes--; printf("host %d is frozen\n", i); st[i] = FROZEN; excuse[i] = L; done[i] = 0 }                 \
  :: d_step { (st[i] == PAUSED || st[i] == FROZEN) -> wake(i); printf("host %d wakes\n", i); check() }
  FAULTS(0)
  FAULTS(1)
  FAULTS(2)
#ifdef HOLD
#ifdef NO_HOLD
#define FINDS 0
#else
#define FINDS 1
#endif
#define FLOWS(i)                                                                                                     \
  :: d_step { conn == 3 && ACCEPTS(i) -> conn = i; check() }                                                         \
  :: d_step { conn == i -> conn = 3; listed[i] = 0; check() }                                                        \
  :: d_step { st[i] == RUN && ph[i] >= RELEASED && !live_known[i] ->                                                 \
       live_known[i] = 1; listed[i] = (FINDS && conn == i && !own[i]); check() }
  FLOWS(0)
  FLOWS(1)
  FLOWS(2)
#endif
  od;
bound:
  skip
}
