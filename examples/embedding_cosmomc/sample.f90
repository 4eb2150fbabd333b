! A chain of Metropolis steps over two parameters of the sampler's own and those of the likelihood, which it finds by
! name. It prints -ln L at the start and the mean of -ln L along the chain.
!
!     ./sample fit.cevns STEPS NAME VALUE WIDTH NAME VALUE WIDTH ...
program sample
   use, intrinsic :: iso_c_binding, only: c_double
   use sampler
   use cevns_likelihood
   implicit none
   type(cevns_type) :: csi
   character(64) :: argument
   character(64), allocatable :: names(:)
   real(c_double), allocatable :: at(:), width(:), trial(:), normal(:), u(:, :)
   real(c_double) :: here, there, total, chance
   integer :: n, i, step, steps, seed_size

   n = (command_argument_count() - 2)/3
   allocate (names(n), at(n), width(n), trial(n), normal(n), u(n, 2))
   call get_command_argument(2, argument)
   read (argument, *) steps
   do i = 1, n
      call get_command_argument(3*i, names(i))
      call get_command_argument(3*i + 1, argument)
      read (argument, *) at(i)
      call get_command_argument(3*i + 2, argument)
      read (argument, *) width(i)
   end do
   block
      character(1024) :: path
      call get_command_argument(1, path)
      call csi%init(trim(path), names)
   end block
   call random_seed(size=seed_size)
   call random_seed(put=[(20 + i, i=1, seed_size)])

   here = csi%LogLike(at)
   print "(a, es25.16e3)", "start ", here
   total = 0
   do step = 1, steps
      call random_number(u)
      normal = sqrt(-2*log(1 - u(:, 1)))*cos(2*acos(-1.0_c_double)*u(:, 2)) ! Box and Muller
      trial = at + width*normal
      there = csi%LogLike(trial)
      call random_number(chance)
      if (chance < exp(here - there)) then
         at = trial
         here = there
      end if
      total = total + here
   end do
   print "(a, es25.16e3)", "mean ", total/steps
   call csi%close()
end program
