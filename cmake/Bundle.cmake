# A libferry that goes into a Python wheel (or any folder of its own): the libraries that it stands on are linked into it
# where there are static ones that can be, and lie beside it where there are none. Nothing but the C library, zlib and
# what the kernel gives is looked for elsewhere.
#
# Distributions ship some libraries as shared ones only (Debian: spng), and static ones may not be
# position-independent, so each archive is tried in a shared library before it is chosen.
include(CheckCSourceCompiles)

set(FERRY_BESIDE)  # shared libraries to be copied
set(FERRY_CARRIED) # all that is taken along, inside or beside

# Puts the way to link library `name` into the variable `out`. `fallback` is the target or path that is used otherwise.
function(ferry_bundle_library name fallback out)
  find_library(FERRY_STATIC_${name} NAMES lib${name}.a HINTS ${${ARGN}})
  if(FERRY_STATIC_${name})
    # With their symbols hidden, archives made for position-independent programs often do.
    set(CMAKE_REQUIRED_FLAGS "-fPIC -shared -Wl,--exclude-libs,ALL")
    set(CMAKE_REQUIRED_LIBRARIES "-Wl,--whole-archive ${FERRY_STATIC_${name}} -Wl,--no-whole-archive")
    string(MAKE_C_IDENTIFIER "FERRY_CAN_EMBED_${name}" can)
    check_c_source_compiles("int ferry_probe(void) { return 0; }" ${can})
    if(${can})
      set(${out} ${FERRY_STATIC_${name}} PARENT_SCOPE)
      set(FERRY_CARRIED ${FERRY_CARRIED} ${FERRY_STATIC_${name}} PARENT_SCOPE)
      message(STATUS "libferry holds ${FERRY_STATIC_${name}}")
      return()
    endif()
  endif()
  find_library(FERRY_SHARED_${name} NAMES lib${name}.so ${name} REQUIRED)
  message(STATUS "libferry takes ${FERRY_SHARED_${name}} along")
  set(FERRY_BESIDE ${FERRY_BESIDE} ${FERRY_SHARED_${name}} PARENT_SCOPE)
  set(FERRY_CARRIED ${FERRY_CARRIED} ${FERRY_SHARED_${name}} PARENT_SCOPE)
  set(${out} ${fallback} PARENT_SCOPE)
endfunction()

# Whoever passes a library on passes its notices on: those that the distribution keeps with its package.
function(ferry_install_notice library)
  get_filename_component(real ${library} REALPATH)
  get_filename_component(name ${library} NAME_WE)
  execute_process(COMMAND dpkg-query -S ${real} OUTPUT_VARIABLE owner ERROR_QUIET RESULT_VARIABLE failed)
  string(REGEX MATCH "^[^:]+" package "${owner}")
  set(notice /usr/share/doc/${package}/copyright)
  if(FERRY_SYSROOT)
    # The target's packages were unpacked, not installed: their documents lie beside their libraries.
    file(GLOB notices ${FERRY_SYSROOT}/usr/share/doc/${name}*/copyright)
    list(GET notices 0 notice)
  endif()
  if(NOT EXISTS ${notice} OR (failed AND NOT FERRY_SYSROOT))
    message(WARNING "${real}: put its licence beside the wheel's; no package of the distribution knows it")
    return()
  endif()
  get_filename_component(notice ${notice} REALPATH)
  install(FILES ${notice} DESTINATION licenses RENAME ${name}.txt COMPONENT bundle EXCLUDE_FROM_ALL)
endfunction()

# Installs libferry and what lies beside it, each under the name by which the loader asks for it.
function(ferry_install_bundle)
  set_target_properties(ferry PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN")
  # Symbols of the archives stay inside: another copy in the same process must not meet ours. DT_RPATH, not
  # DT_RUNPATH: what lies beside finds what lies beside.
  target_link_options(ferry PRIVATE -Wl,--exclude-libs,ALL -Wl,--disable-new-dtags -s)
  install(PROGRAMS $<TARGET_FILE:ferry> DESTINATION . RENAME libferry.so.${PROJECT_VERSION_MAJOR} COMPONENT bundle
          EXCLUDE_FROM_ALL)
  foreach(library ${FERRY_BESIDE})
    get_filename_component(real ${library} REALPATH)
    execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${real} OUTPUT_VARIABLE headers RESULT_VARIABLE failed)
    if(failed OR NOT headers MATCHES "SONAME +([^\n ]+)")
      message(FATAL_ERROR "${real}: its SONAME can't be read with '${CMAKE_OBJDUMP}'")
    endif()
    install(PROGRAMS ${real} DESTINATION . RENAME ${CMAKE_MATCH_1} COMPONENT bundle EXCLUDE_FROM_ALL)
  endforeach()
  foreach(library ${FERRY_CARRIED})
    ferry_install_notice(${library})
  endforeach()
endfunction()
