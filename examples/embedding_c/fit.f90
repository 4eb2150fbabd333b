! A likelihood in Fortran: the same as fit.c.
!
!     cevns-fast c-interface -o .
!     cc -O3 -c likelihood*.c
!     gfortran -O3 cevns_fast.f90 fit.f90 likelihood*.o -o fit
!     ./fit fit.cevns 20 0.05 2e-4
program fit
   use, intrinsic :: iso_c_binding
   use cevns_fast
   implicit none
   character(*), parameter :: number = "(a, es25.16e3)"
   character(*), parameter :: tab = char(9)
   type(c_ptr) :: likelihood
   character(1024) :: argument
   integer(c_size_t) :: n, i
   real(c_double) :: lower, upper, chi2
   real(c_double), allocatable :: theta(:), gradient(:)

   call get_command_argument(1, argument)
   likelihood = cevns_fast_open(argument)
   if (.not. c_associated(likelihood)) error stop "usage: fit FILE VALUE...; FILE must be from Likelihood.export"
   n = cevns_fast_dimension(likelihood)
   if (command_argument_count() /= n + 1) error stop "one value for each parameter is needed"
   allocate (theta(n), gradient(n))
   do i = 1, n
      call get_command_argument(int(i) + 1, argument)
      read (argument, *) theta(i)
      call cevns_fast_bounds(likelihood, i - 1, lower, upper)
      print "(4a, es25.16e3, a, es25.16e3, a, es25.16e3)", &
         "parameter", tab, cevns_fast_parameter(likelihood, i - 1), tab, theta(i), tab, lower, tab, upper
   end do
   chi2 = cevns_fast_chi2(likelihood, theta, n, gradient)
   print number, "chi2"//tab, chi2
   print number, ("gradient"//tab, gradient(i), i=1, n)
   chi2 = cevns_fast_minimise(likelihood, theta, n)
   print number, "minimum"//tab, chi2
   print number, ("at"//tab, theta(i), i=1, n)
   call cevns_fast_close(likelihood)
end program
