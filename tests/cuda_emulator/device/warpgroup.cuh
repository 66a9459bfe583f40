// SPDX-License-Identifier: Apache-2.0
// Handed to a program instead of the header of that name: its functions are in emulated.h.
#pragma once
