# Each name that layers.txt may use in its last column, as an interface target third_party::NAME.
# Third-party headers are system headers: their warnings are not ours.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)

function(crosspoint_third_party name)
  add_library(third_party_${name} INTERFACE)
  add_library(third_party::${name} ALIAS third_party_${name})
  if(ARGN)
    target_link_libraries(third_party_${name} INTERFACE ${ARGN})
  endif()
endfunction()

crosspoint_third_party(openssl OpenSSL::SSL OpenSSL::Crypto)
crosspoint_third_party(linux Threads::Threads)

find_package(Boost 1.74 REQUIRED COMPONENTS json)
crosspoint_third_party(json Boost::json)
crosspoint_third_party(asio Boost::headers Threads::Threads)
crosspoint_third_party(beast Boost::headers Threads::Threads)

pkg_check_modules(SOFIA REQUIRED IMPORTED_TARGET sofia-sip-ua)
crosspoint_third_party(sofia-sip PkgConfig::SOFIA)
get_target_property(sofia_includes PkgConfig::SOFIA INTERFACE_INCLUDE_DIRECTORIES)
target_include_directories(third_party_sofia-sip SYSTEM INTERFACE ${sofia_includes})

pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares)
crosspoint_third_party(c-ares PkgConfig::CARES)

find_package(spdlog REQUIRED)
crosspoint_third_party(spdlog spdlog::spdlog)
find_package(tomlplusplus REQUIRED)
crosspoint_third_party(toml tomlplusplus::tomlplusplus)
find_package(CLI11 REQUIRED)
crosspoint_third_party(cli CLI11::CLI11)
find_package(prometheus-cpp REQUIRED)
crosspoint_third_party(prometheus prometheus-cpp::core)

if(CROSSPOINT_TESTS)
  find_package(GTest REQUIRED)
  pkg_check_modules(SRTP2 REQUIRED IMPORTED_TARGET libsrtp2)
endif()
