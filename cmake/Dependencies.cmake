# The libraries that ferry stands on, all found through pkg-config or the compiler; and the protobuf code made from our .proto.
find_package(PkgConfig REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(JPEG REQUIRED IMPORTED_TARGET libjpeg)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
# Debian ships spng's pkg-config file under either of two names.
pkg_search_module(SPNG REQUIRED IMPORTED_TARGET spng libspng)
find_package(Threads REQUIRED)
find_program(PROTOC_C protoc-c REQUIRED)

add_library(ferry_dependencies INTERFACE)
set(ferry_libraries PkgConfig::PROTOBUF_C PkgConfig::JPEG PkgConfig::SPNG PkgConfig::XXHASH PkgConfig::JANSSON)
if(FERRY_BUNDLE)
  include(Bundle)
  ferry_bundle_library(protobuf-c PkgConfig::PROTOBUF_C embedded_protobuf PROTOBUF_C_LIBRARY_DIRS)
  ferry_bundle_library(jpeg PkgConfig::JPEG embedded_jpeg JPEG_LIBRARY_DIRS)
  ferry_bundle_library(spng PkgConfig::SPNG embedded_spng SPNG_LIBRARY_DIRS)
  ferry_bundle_library(xxhash PkgConfig::XXHASH embedded_xxhash XXHASH_LIBRARY_DIRS)
  ferry_bundle_library(jansson PkgConfig::JANSSON embedded_jansson JANSSON_LIBRARY_DIRS)
  set(ferry_libraries ${embedded_protobuf} ${embedded_jpeg} ${embedded_spng} ${embedded_xxhash} ${embedded_jansson})
  if(embedded_spng MATCHES "\\.a$")
    list(APPEND ferry_libraries z) # an archive does not say what it needs
  endif()
  # Headers may lie where only pkg-config looks.
  target_include_directories(ferry_dependencies INTERFACE ${PROTOBUF_C_INCLUDE_DIRS} ${JPEG_INCLUDE_DIRS}
                             ${SPNG_INCLUDE_DIRS} ${XXHASH_INCLUDE_DIRS} ${JANSSON_INCLUDE_DIRS})
endif()
target_link_libraries(ferry_dependencies INTERFACE ${ferry_libraries} Threads::Threads m)

set(FERRY_GENERATED_DIR ${CMAKE_CURRENT_BINARY_DIR}/generated)
set(FERRY_GENERATED_SOURCES)
file(GLOB FERRY_PROTOS CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/import/*/*.proto)
foreach(proto ${FERRY_PROTOS})
  get_filename_component(name ${proto} NAME_WE)
  get_filename_component(folder ${proto} DIRECTORY)
  set(generated ${FERRY_GENERATED_DIR}/${name}.pb-c.c)
  add_custom_command(
    OUTPUT ${generated} ${FERRY_GENERATED_DIR}/${name}.pb-c.h
    COMMAND ${CMAKE_COMMAND} -E make_directory ${FERRY_GENERATED_DIR}
    COMMAND ${PROTOC_C} --proto_path=${folder} --c_out=${FERRY_GENERATED_DIR} ${proto}
    DEPENDS ${proto}
    VERBATIM)
  set_source_files_properties(${generated} PROPERTIES COMPILE_OPTIONS "-w")
  list(APPEND FERRY_GENERATED_SOURCES ${generated} ${FERRY_GENERATED_DIR}/${name}.pb-c.h)
endforeach()
