# Compiler and linker flags that every target of the project shares.
add_library(ferry_flags INTERFACE)
# Contraction is off everywhere: a fused multiply-add is written where it is meant (docs/INT8.md).
target_compile_options(ferry_flags INTERFACE -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
                                             -Wpointer-arith -Wwrite-strings -ffp-contract=off -fvisibility=hidden
                                             -fno-math-errno)
# Nobody looks at floating-point exception flags; without them comparisons can become vector operations. Results stay.
target_compile_options(ferry_flags INTERFACE -fno-trapping-math)
# Texts are cut to their buffers on purpose; whether gcc notices depends on the optimisation level.
target_compile_options(ferry_flags INTERFACE $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>)
# Loops say that they may become vectors; that clang leaves one alone (with sanitizers, most) is no fault in them.
target_compile_options(ferry_flags INTERFACE $<$<C_COMPILER_ID:Clang>:-Wno-pass-failed>)
target_compile_definitions(ferry_flags INTERFACE _GNU_SOURCE)
if(FERRY_WERROR)
  target_compile_options(ferry_flags INTERFACE -Werror)
endif()
if(FERRY_SANITIZE)
  target_compile_options(ferry_flags INTERFACE -fsanitize=${FERRY_SANITIZE} -fno-omit-frame-pointer
                                               -fno-sanitize-recover=all)
  target_link_options(ferry_flags INTERFACE -fsanitize=${FERRY_SANITIZE})
endif()
if(FERRY_COVERAGE)
  target_compile_options(ferry_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(ferry_flags INTERFACE --coverage)
endif()
if(FERRY_BUILD_FUZZERS)
  target_compile_options(ferry_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
