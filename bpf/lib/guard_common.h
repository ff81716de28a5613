/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What every file of the port guard includes first. */
#ifndef NLB_BPF_GUARD_COMMON_H
#define NLB_BPF_GUARD_COMMON_H

#include <nlb/abi/guard.h>

#include "common.h"

#endif
