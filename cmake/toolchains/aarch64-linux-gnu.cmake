# Debian's and Ubuntu's cross compiler for 64-bit ARM. FERRY_SYSROOT names a folder with the target's libraries (see
# tools/ci/arm64.sh); programs are run by qemu-aarch64, whose processor the environment variable QEMU_CPU chooses.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
find_program(FERRY_QEMU NAMES qemu-aarch64 qemu-aarch64-static)
if(FERRY_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${FERRY_QEMU} -L /usr/aarch64-linux-gnu)
endif()

set(FERRY_SYSROOT "" CACHE PATH "Folder with usr/include and usr/lib/aarch64-linux-gnu of the target")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES FERRY_SYSROOT)
if(FERRY_SYSROOT)
  # Not --sysroot: the C library is the cross compiler's own.
  set(ENV{PKG_CONFIG_LIBDIR} ${FERRY_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${FERRY_SYSROOT}/usr/share/pkgconfig)
  set(ENV{PKG_CONFIG_SYSROOT_DIR} ${FERRY_SYSROOT})
  set(CMAKE_FIND_ROOT_PATH ${FERRY_SYSROOT})
  set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
  set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
  set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
  # Headers that differ by architecture lie in a folder of their own, which a native compiler knows by itself.
  set(CMAKE_C_FLAGS_INIT "-isystem ${FERRY_SYSROOT}/usr/include/aarch64-linux-gnu")
  # Debian 12 has zlib in /lib.
  set(libraries ${FERRY_SYSROOT}/usr/lib/aarch64-linux-gnu:${FERRY_SYSROOT}/lib/aarch64-linux-gnu)
  foreach(kind EXE SHARED)
    # Libraries beneath those that are named are looked for here, too: when linking, and when running, where only the
    # older kind of tag holds for them.
    set(CMAKE_${kind}_LINKER_FLAGS_INIT "-Wl,-rpath-link,${libraries} -Wl,-rpath,${libraries} -Wl,--disable-new-dtags")
  endforeach()
endif()
