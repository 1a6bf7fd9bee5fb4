// Assertions about our own mistakes. They are on in every build; what the network or a caller did wrong is never one.
#pragma once
#include <cstdio>
#include <cstdlib>

#define CROSSPOINT_CHECK(condition)                                                          \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
