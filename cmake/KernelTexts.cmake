# The CUDA backend's kernel texts as C strings: NVRTC compiles them while an engine is built. Comments are left out, for
# they would be a third of the bytes.
file(GLOB ferry_kernel_texts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/backend/cuda/kernels/*.cuh)
set(ferry_kernel_texts_c ${FERRY_GENERATED_DIR}/cuda_texts.c)
add_custom_command(OUTPUT ${ferry_kernel_texts_c}
  COMMAND ${CMAKE_COMMAND} "-DTEXTS=${ferry_kernel_texts}" -DOUT=${ferry_kernel_texts_c}
          -DWORDS=${CMAKE_CURRENT_SOURCE_DIR}/cmake/kernel_words.txt
          -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/WriteKernelTexts.cmake
  DEPENDS ${ferry_kernel_texts} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/kernel_words.txt
          ${CMAKE_CURRENT_SOURCE_DIR}/cmake/WriteKernelTexts.cmake VERBATIM
  COMMENT "Writing kernel texts")
list(APPEND FERRY_GENERATED_SOURCES ${ferry_kernel_texts_c})
