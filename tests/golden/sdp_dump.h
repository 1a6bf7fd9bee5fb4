// Every value of a SessionDescription as text, one a line, for the eyes of whoever reads a golden file.
#pragma once
#include <string>

#include "core/params/session.h"

namespace crosspoint::test {

std::string dump(const SessionDescription& description);

}  // namespace crosspoint::test
