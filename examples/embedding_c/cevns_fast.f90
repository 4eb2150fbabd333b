! The C interface of cevns_fast for Fortran: the functions of cevns_fast.h, and two that hide C strings.
module cevns_fast
   use, intrinsic :: iso_c_binding
   implicit none
   private
   public :: cevns_fast_open, cevns_fast_close, cevns_fast_dimension, cevns_fast_parameter, cevns_fast_bounds
   public :: cevns_fast_chi2, cevns_fast_hessian, cevns_fast_chi2_batch, cevns_fast_minimise

   interface
      subroutine cevns_fast_close(likelihood) bind(c)
         import :: c_ptr
         type(c_ptr), value :: likelihood
      end subroutine
      integer(c_size_t) function cevns_fast_dimension(likelihood) bind(c)
         import :: c_ptr, c_size_t
         type(c_ptr), value :: likelihood
      end function
      ! index counts from 0
      subroutine cevns_fast_bounds(likelihood, index, lower, upper) bind(c)
         import :: c_ptr, c_size_t, c_double
         type(c_ptr), value :: likelihood
         integer(c_size_t), value :: index
         real(c_double), intent(out) :: lower, upper
      end subroutine
      ! leave out what is not wanted: an absent argument is C's NULL
      real(c_double) function cevns_fast_chi2(likelihood, theta, n, gradient) bind(c)
         import :: c_ptr, c_size_t, c_double
         type(c_ptr), value :: likelihood
         integer(c_size_t), value :: n
         real(c_double), intent(in) :: theta(n)
         real(c_double), intent(out), optional :: gradient(n)
      end function
      real(c_double) function cevns_fast_hessian(likelihood, theta, n, gradient, hessian) bind(c)
         import :: c_ptr, c_size_t, c_double
         type(c_ptr), value :: likelihood
         integer(c_size_t), value :: n
         real(c_double), intent(in) :: theta(n)
         real(c_double), intent(out), optional :: gradient(n), hessian(n, n)
      end function
      ! thetas(:, i) is point i
      subroutine cevns_fast_chi2_batch(likelihood, thetas, points, n, chi2) bind(c)
         import :: c_ptr, c_size_t, c_double
         type(c_ptr), value :: likelihood
         integer(c_size_t), value :: points, n
         real(c_double), intent(in) :: thetas(n, points)
         real(c_double), intent(out) :: chi2(points)
      end subroutine
      ! fixed(i) is not 0 for a parameter that stays
      real(c_double) function cevns_fast_minimise(likelihood, theta, n, fixed) bind(c)
         import :: c_ptr, c_size_t, c_double, c_int
         type(c_ptr), value :: likelihood
         integer(c_size_t), value :: n
         real(c_double), intent(inout) :: theta(n)
         integer(c_int), intent(in), optional :: fixed(n)
      end function
      ! A handle of some experiments, where chosen(i) is not 0, and with other widths of the nuisances.
      type(c_ptr) function cevns_fast_variant(likelihood, chosen, widths) bind(c)
         import :: c_ptr, c_double, c_int
         type(c_ptr), value :: likelihood
         integer(c_int), intent(in), optional :: chosen(*)
         real(c_double), intent(in), optional :: widths(*)
      end function
      integer(c_size_t) function cevns_fast_experiments(likelihood) bind(c)
         import :: c_ptr, c_size_t
         type(c_ptr), value :: likelihood
      end function
      type(c_ptr) function c_open(path) bind(c, name="cevns_fast_open")
         import :: c_ptr, c_char
         character(kind=c_char), intent(in) :: path(*)
      end function
      type(c_ptr) function c_parameter(likelihood, index) bind(c, name="cevns_fast_parameter")
         import :: c_ptr, c_size_t
         type(c_ptr), value :: likelihood
         integer(c_size_t), value :: index
      end function
      integer(c_size_t) function c_length(text) bind(c, name="strlen")
         import :: c_ptr, c_size_t
         type(c_ptr), value :: text
      end function
   end interface

contains

   ! A handle from a file; not c_associated if the file is not from Likelihood.export.
   type(c_ptr) function cevns_fast_open(path)
      character(*), intent(in) :: path
      cevns_fast_open = c_open(trim(path)//c_null_char)
   end function

   ! The name of a parameter, counted from 0.
   function cevns_fast_parameter(likelihood, index) result(name)
      type(c_ptr), intent(in) :: likelihood
      integer(c_size_t), intent(in) :: index
      character(:), allocatable :: name
      character(kind=c_char), pointer :: letters(:)
      type(c_ptr) :: text
      integer :: i
      text = c_parameter(likelihood, index)
      name = ""
      if (.not. c_associated(text)) return
      call c_f_pointer(text, letters, [c_length(text)])
      do i = 1, size(letters)
         name = name//letters(i)
      end do
   end function
end module
